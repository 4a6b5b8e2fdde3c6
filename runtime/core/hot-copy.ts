/**
 * Loads a module once per operator of a job, so that V8 keeps the type feedback of each operator apart and inlines its chain
 * (measured: 4x, docs/decisions/0001-hot-module-copies.md). `import('./map.ts?n=3')` gives a copy of that one file; what it imports
 * is shared, so hot helpers are loaded as copies of their own.
 *
 * Modules never unload. Numbers are therefore reused when a job has ended: a thread holds as many copies of a file as its
 * largest job had operators.
 */

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

/** Hands out the numbers of copies. */
export interface CopyNumbers {
  /** A number for one operator; {@link release} it when the operator is closed. */
  acquire(): number
  release(n: number): void
}

const used = new Set<number>()

/** The lowest free number of this thread. */
export const copiesOfThread: CopyNumbers = {
  acquire() {
    let n = 0
    while (used.has(n)) n++
    used.add(n)
    return n
  },
  release(n) {
    used.delete(n)
  },
}

/** One copy for all, where jobs are many and none is fast: a simulation that begins thousands of them would load a copy for each. */
export const oneCopy: CopyNumbers = { acquire: () => 0, release() {} }

/**
 * Copy `n` of a module of the runtime.
 *
 * @param path from `runtime/`, without extension, such as `operators/map`
 */
export function hotCopy<M>(path: string, n: number): Promise<M> {
  return import(new URL(`../${path}${extension}?n=${n}`, import.meta.url).href) as Promise<M>
}
