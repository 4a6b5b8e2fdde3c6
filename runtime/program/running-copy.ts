/**
 * Where the running copy of the library lies, and what `tailrace` and `tailrace/*` mean in it.
 *
 * In a clone the sources run (`runtime/index.ts`), in the package what tsc made of them (`dist/runtime/index.js`). The doors come from
 * package.json's exports, so there is no second list of them.
 */
import { readFileSync } from 'node:fs'

/** True in a clone, where Node strips the types itself. */
export const fromSources = import.meta.url.endsWith('.ts')

/** Extension of the running copy's modules, for URLs that are computed and so not rewritten by tsc. */
export const extension = fromSources ? '.ts' : '.js'

const packageRoot = new URL(fromSources ? '../../' : '../../../', import.meta.url)

/** `file:` URL of `runtime/` in the running copy, with a slash at its end. */
export const runtimeRoot = new URL('../', import.meta.url).href

const manifest = JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as {
  name: string
  version: string
  exports: Record<string, string | { default: string }>
  dependencies: Record<string, string>
}

export const version = manifest.version

/** Version of a dependency as package.json pins it. */
export function dependencyVersion(name: string): string | undefined {
  return manifest.dependencies[name]
}

/** `tailrace/state` → `file:///…/runtime/state/index.ts`. */
export const doors: ReadonlyMap<string, string> = new Map(
  Object.entries(manifest.exports).flatMap(([door, target]) => {
    if (typeof target === 'string') return []
    const path = fromSources ? target.default.replace(/^\.\/dist\//, './').replace(/\.js$/, '.ts') : target.default
    return [[manifest.name + door.slice(1), new URL(path, packageRoot).href]]
  }),
)

/** URL of a module of the running copy: `runtimeModule('index')`. */
export function runtimeModule(path: string): URL {
  return new URL(path + extension, runtimeRoot)
}
