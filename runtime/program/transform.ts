/**
 * Turns a user's TypeScript into JavaScript with esbuild: enums, decorators and parameter properties work, which Node's type
 * stripping refuses. Types are not checked; that is the editor's and tsc's work.
 *
 * Every slot runs the program, so results are kept on disk by content hash and only the first thread loads esbuild (it costs
 * memory). What must hold: a file of the cache is whole (written aside, then renamed), and the folder is the user's own, since
 * its content is executed.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { dependencyVersion } from './running-copy.ts'

/** Part of the key: change it when the options below change. */
const OPTIONS_VERSION = 1
const CACHE_FILES_MAX = 2000

/**
 * JavaScript of a TypeScript file, with an inline source map that names `path`.
 *
 * @param cacheDir undefined: no cache
 */
export function transform(source: string, path: string, cacheDir: string | undefined = defaultCacheDir()): string {
  const tsconfig = nearestTsconfig(dirname(path))
  const key = createHash('sha256')
    .update(JSON.stringify([OPTIONS_VERSION, dependencyVersion('esbuild'), path, tsconfig, source]))
    .digest('hex')
  const cached = cacheDir === undefined ? undefined : join(cacheDir, `${key}.mjs`)
  if (cached !== undefined) {
    try {
      return readFileSync(cached, 'utf8')
    } catch {
      // Not there yet.
    }
  }
  // Loaded here and not at the top: most threads never need it.
  const esbuild = createRequire(import.meta.url)('esbuild') as typeof import('esbuild')
  try {
    const { code } = esbuild.transformSync(source, {
      loader: path.endsWith('x') ? 'tsx' : 'ts',
      sourcefile: path,
      sourcemap: 'inline',
      sourcesContent: false,
      target: 'node22',
      logLevel: 'silent',
      ...(tsconfig === undefined ? {} : { tsconfigRaw: tsconfig }),
    })
    if (cached !== undefined) keep(cached, code)
    return code
  } catch (error) {
    throw syntaxError(error as TransformFailure, path)
  }
}

type TransformFailure = import('esbuild').TransformFailure

/** esbuild's first message as the error that Node would throw, so that its line is found as any other's. */
function syntaxError(failure: TransformFailure, path: string): Error {
  const [first] = failure.errors ?? []
  if (first === undefined) return failure
  const error = new SyntaxError(first.text)
  const place = first.location === null ? path : `${path}:${first.location.line}:${first.location.column + 1}`
  error.stack = `SyntaxError: ${first.text}\n    at ${place}`
  return error
}

/** A folder of the temporary directory that only this user can write; undefined when it is someone else's. */
function defaultCacheDir(): string | undefined {
  const uid = process.getuid?.() ?? 'user'
  const dir = join(tmpdir(), `tailrace-transformed-${uid}`)
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const found = lstatSync(dir)
    return found.isDirectory() && (process.getuid === undefined || (found.uid === uid && (found.mode & 0o022) === 0))
      ? dir
      : undefined
  } catch {
    return undefined
  }
}

/** A cache that cannot be written costs time, never a job. */
function keep(file: string, code: string): void {
  try {
    const aside = `${file}.${randomUUID()}`
    writeFileSync(aside, code, { mode: 0o600 })
    renameSync(aside, file)
    const dir = dirname(file)
    if (readdirSync(dir).length > CACHE_FILES_MAX) {
      for (const name of readdirSync(dir)) if (join(dir, name) !== file) rmSync(join(dir, name), { force: true })
    }
  } catch {
    // A full or read-only disk.
  }
}

const tsconfigs = new Map<string, string | undefined>()

/** Text of the nearest tsconfig.json (it decides about decorators and class fields). Its `extends` is not followed. */
function nearestTsconfig(dir: string): string | undefined {
  if (tsconfigs.has(dir)) return tsconfigs.get(dir)
  const file = join(dir, 'tsconfig.json')
  const up = dirname(dir)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : up === dir ? undefined : nearestTsconfig(up)
  tsconfigs.set(dir, text)
  return text
}
