/**
 * Module hooks of a thread that runs user programs, in front of Node's own loader.
 *
 * What must hold:
 * - `tailrace` and its doors mean the running copy from wherever they are imported, so that a thread has one copy of the library;
 * - a user's TypeScript is an ES module whatever its package.json says, transformed by esbuild (transform.ts); files of
 *   node_modules and of the library itself are left to Node;
 * - relative imports may leave out the extension, and may say `.js` for a `.ts` file, as tsc and bundlers allow.
 */
import { readFileSync, statSync } from 'node:fs'
import { registerHooks, setSourceMapsSupport } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { TailraceError } from '../core/errors.ts'
import { doors, fromSources, runtimeRoot, version } from './running-copy.ts'
import { transform } from './transform.ts'

const INSTALLED = Symbol.for('tailrace.module-hooks')

/** Installs the hooks, once per thread, and turns on source maps of users' files. */
export function installHooks(): void {
  const place = globalThis as { [INSTALLED]?: boolean }
  if (place[INSTALLED]) return
  place[INSTALLED] = true
  // Users' files only: tasks find the operator of an error by the names that its copies have in stacks.
  setSourceMapsSupport(true, { nodeModules: false, generatedCode: false })
  registerHooks({
    resolve(specifier, context, next) {
      const door = doors.get(specifier)
      if (door !== undefined)
        return { url: door, format: fromSources ? 'module-typescript' : 'module', shortCircuit: true }
      // Another copy in some node_modules may have it, and would be a second library in this thread.
      if (isOurs(specifier)) throw noSuchDoor(specifier, context.parentURL)
      if (!isUserFile(context.parentURL)) return next(specifier, context)
      try {
        return next(specifier, context)
      } catch (error) {
        const found = isPath(specifier) ? otherSpelling(new URL(specifier, context.parentURL)) : undefined
        if (found === undefined) throw error
        return next(found, context)
      }
    },
    load(url, context, next) {
      if (!isUserFile(url) || !/\.[mc]?tsx?$/.test(new URL(url).pathname)) return next(url, context)
      const path = fileURLToPath(url)
      const source = transform(readFileSync(path, 'utf8'), path)
      return { format: path.endsWith('.cts') ? 'commonjs' : 'module', source, shortCircuit: true }
    },
  })
}

/** A file that is neither a dependency's nor the library's own. */
export function isUserFile(url: string | undefined): url is string {
  return url?.startsWith('file:') === true && !url.includes('/node_modules/') && !url.startsWith(runtimeRoot)
}

/** A part of the library by its name; its package.json is data and may be any. */
const isOurs = (specifier: string) => /^tailrace\/(?!package\.json$)/.test(specifier)

function noSuchDoor(specifier: string, parent: string | undefined): TailraceError {
  const by = parent?.startsWith('file:') === true ? ` in "${fileURLToPath(parent)}"` : ''
  return new TailraceError(
    'TR-ARTIFACT-009',
    `Cannot import "${specifier}"${by}: Tailrace ${version}, which runs here, has no such part, wanted: one of ${[...doors.keys()].join(', ')}`,
  )
}

const isPath = (specifier: string) => /^(\.{0,2}\/|file:)/.test(specifier)

const EXTENSIONS = ['.ts', '.mts', '.tsx', '.cts', '.js', '.mjs', '.cjs']

/** The file that an import meant which Node does not find as written. */
function otherSpelling(url: URL): string | undefined {
  const path = fileURLToPath(url)
  const candidates = [
    ...(/\.[mc]?jsx?$/.test(path)
      ? [path.replace(/\.([mc]?)js(x?)$/, '.$1ts$2'), path.replace(/\.jsx?$/, '.tsx')]
      : []),
    ...EXTENSIONS.map((extension) => path + extension),
    ...EXTENSIONS.map((extension) => `${path}/index${extension}`),
  ]
  const found = candidates.find((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isFile())
  return found === undefined ? undefined : pathToFileURL(found).href
}
