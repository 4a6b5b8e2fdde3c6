/**
 * Packages of node_modules: where they are, which have native parts, and the files of one with all that it needs.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'

interface Manifest {
  name?: string
  version?: string
  gypfile?: boolean
  binary?: unknown
  napi?: unknown
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

/** Packages that exist to load what was compiled for a machine. */
const LOADERS = [
  'node-gyp-build',
  'bindings',
  'prebuild-install',
  'node-pre-gyp',
  '@mapbox/node-pre-gyp',
  'pkg-prebuilds',
]

export function manifestOf(dir: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest
  } catch {
    return undefined
  }
}

/** `lodash/fp` → `lodash`; undefined for Node's own, and for what is no package. */
export function packageName(specifier: string): string | undefined {
  if (isBuiltin(specifier)) return undefined
  return /^(@[^/]+\/[^/]+|[^@/.#][^/]*)/.exec(specifier)?.[1]
}

/** The nearest directory with a package.json, at or above a file's. */
export function packageDirectory(file: string): string | undefined {
  for (let dir = dirname(file); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir
    if (dirname(dir) === dir) return undefined
  }
}

/** Whether a package loads what was compiled for a machine. It is told by its habits, as the file itself is often found at run time only. */
export function isNative(dir: string): boolean {
  const manifest = manifestOf(dir)
  if (manifest === undefined) return false
  const { dependencies = {}, optionalDependencies = {} } = manifest
  if (manifest.gypfile === true || manifest.binary !== undefined || manifest.napi !== undefined) return true
  if (LOADERS.some((name) => name in dependencies || name in optionalDependencies)) return true
  const names = readdirSync(dir)
  if (names.some((name) => name === 'binding.gyp' || name === 'prebuilds' || name.endsWith('.node'))) return true
  // As napi-rs ships: one optional package for each platform, with the file in it.
  return Object.keys(optionalDependencies).some((name) => {
    const part = locate(name, dir)
    return part !== undefined && readdirSync(part).some((file) => file.endsWith('.node'))
  })
}

/** A package that is needed, and where it goes in `node_modules` of the archive. */
export interface Placed {
  /** Such as `node_modules/a/node_modules/b`. */
  path: string
  /** On this machine, with no links in it. */
  dir: string
}

/**
 * The packages with everything that they depend on, each once where one version suffices. The library is left out.
 *
 * @param roots names and directories
 */
export function closure(roots: ReadonlyMap<string, string>): Placed[] {
  const placed = new Map<string, string>()
  const place = (name: string, found: string, parent: string): void => {
    if (name === 'tailrace') return
    const dir = realpathSync(found)
    const top = `node_modules/${name}`
    // Whoever is nearest to the package that asks is what it gets.
    for (let at = parent; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const seen = placed.get(at === '' ? top : `${at}/${top}`)
      if (seen === dir) return
      if (seen !== undefined) break
      if (at === '') break
    }
    const path = placed.has(top) ? `${parent}/${top}` : top
    placed.set(path, dir)
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = manifestOf(dir) ?? {}
    for (const one of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).sort()) {
      const needed = locate(one, dir)
      if (needed !== undefined) place(one, needed, path)
    }
  }
  for (const [name, dir] of [...roots].sort(([a], [b]) => (a < b ? -1 : 1))) place(name, dir, '')
  return [...placed].map(([path, dir]) => ({ path, dir }))
}

/** Files of a package, relative, in the order of their names; those of packages within it are found by {@link closure}. */
export function filesOf(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below))
    .sort()
    .flatMap((name) => {
      if (name === 'node_modules' || name === '.git') return []
      const path = below === '' ? name : `${below}/${name}`
      const found = statSync(join(dir, path), { throwIfNoEntry: false })
      if (found?.isDirectory()) return filesOf(dir, path)
      return found?.isFile() ? [path] : []
    })
}

/** The directory of a package as Node finds it from another. */
export function locate(name: string, from: string): string | undefined {
  for (let dir = realpathSync(from); ; dir = dirname(dir)) {
    const found = join(dir, 'node_modules', name)
    if (existsSync(join(found, 'package.json'))) return found
    if (dirname(dir) === dir) return undefined
  }
}
