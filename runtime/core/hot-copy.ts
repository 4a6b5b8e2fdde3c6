/**
 * Loads a module once per operator of a job, so that V8 keeps the type feedback of each operator apart and inlines its chain
 * (measured: 4x, docs/decisions/0001-hot-module-copies.md). `import('./map.ts?n=3')` gives a copy of that one file; what it imports
 * is shared, so hot helpers are loaded as copies of their own.
 *
 * Modules never unload. Numbers are therefore reused when a job has ended: a thread holds as many copies of a file as its
 * largest job had operators.
 */

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'

const used = new Set<number>()

/** The lowest free number of this thread; release it when the operator is closed. */
export function acquireCopyNumber(): number {
  let n = 0
  while (used.has(n)) n++
  used.add(n)
  return n
}

export function releaseCopyNumber(n: number): void {
  used.delete(n)
}

/**
 * Copy `n` of a module of the runtime.
 *
 * @param path from `runtime/`, without extension, such as `operators/map`
 */
export function hotCopy<M>(path: string, n: number): Promise<M> {
  return import(new URL(`../${path}${extension}?n=${n}`, import.meta.url).href) as Promise<M>
}
