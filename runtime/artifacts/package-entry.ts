/**
 * Which module of an unpacked package is the job.
 */
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { TailraceError } from '../core/errors.ts'

export interface PackageEntry {
  /** Absolute. */
  path: string
  /** What package.json says of the version that it was built for. */
  builtFor: string | undefined
}

const MODULE = /\.[mc]?[jt]sx?$/
const LISTED_MAX = 10

interface Manifest {
  main?: unknown
  exports?: unknown
  tailrace?: { entry?: unknown; builtFor?: unknown }
}

/**
 * `entry` if it is given; else `tailrace.entry`, `exports`, `main` of the package.json, in this order; `index.js` at last.
 *
 * Throws TR-ARTIFACT-008 when there is none of it, or it is not there, or lies outside.
 *
 * @param dir what was unpacked: the package, or the one folder with it, as `npm pack` makes it
 * @param entry a path inside of the package
 */
export async function packageEntry(dir: string, shown: string, entry?: string): Promise<PackageEntry> {
  const root = await packageRoot(dir)
  const manifest = readManifest(root, shown)
  const { tailrace = {} } = manifest
  const candidates: [from: string, path: unknown][] = [
    ['the entry', entry],
    ['"tailrace.entry" of package.json', tailrace.entry],
    ['"exports" of package.json', exported(manifest.exports)],
    ['"main" of package.json', manifest.main],
    ['the default', 'index.js'],
  ]
  const [from, path] = candidates.find(([, one]) => one !== undefined)!
  const refused = async (found: string) =>
    new TailraceError(
      'TR-ARTIFACT-008',
      `Cannot run ${shown}: ${from} is ${JSON.stringify(path)}, ${found}, wanted: a .mjs, .js or .ts file of the package${await listed(root)}`,
    )
  if (typeof path !== 'string' || !MODULE.test(path)) throw await refused('which names no module')
  const file = join(root, path)
  const real = realPath(file)
  if (real === undefined) throw await refused('which is not in it')
  if (relative(realpathSync(root), real).startsWith(`..${sep}`)) throw await refused('which lies outside of it')
  return { path: file, builtFor: typeof tailrace.builtFor === 'string' ? tailrace.builtFor : undefined }
}

/** Its own modules, for a message. */
async function listed(root: string): Promise<string> {
  const found: string[] = []
  const look = async (folder: string): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isFile() && MODULE.test(name)) found.push(name)
      else if (entry.isDirectory() && entry.name !== 'node_modules' && found.length <= LISTED_MAX) await look(name)
    }
  }
  await look('')
  if (found.length === 0) return ', which has none'
  return `, which has ${found.slice(0, LISTED_MAX).join(', ')}${found.length > LISTED_MAX ? ', …' : ''}`
}

async function packageRoot(dir: string): Promise<string> {
  const names = await readdir(dir)
  if (names.includes('package.json') || names.length !== 1) return dir
  const folder = join(dir, names[0]!)
  return statSync(folder).isDirectory() ? folder : dir
}

function readManifest(root: string, shown: string): Manifest {
  const refused = (found: string, cause: unknown) =>
    new TailraceError('TR-ARTIFACT-008', `Cannot run ${shown}: ${found}, wanted: a package with a package.json`, {
      cause,
    })
  let text: string
  try {
    text = readFileSync(join(root, 'package.json'), 'utf8')
  } catch (cause) {
    throw refused('it has no package.json', cause)
  }
  try {
    const manifest: unknown = JSON.parse(text)
    if (typeof manifest === 'object' && manifest !== null) return manifest as Manifest
    throw new SyntaxError('it is no object')
  } catch (cause) {
    throw refused(`its package.json cannot be read (${(cause as Error).message})`, cause)
  }
}

/** What an import of the package would load, by the conditions that hold here. */
function exported(exports: unknown): unknown {
  if (typeof exports !== 'object' || exports === null) return exports ?? undefined
  if (Array.isArray(exports)) return exports.map(exported).find((one) => one !== undefined)
  const table = exports as Record<string, unknown>
  if ('.' in table) return exported(table['.'])
  const condition = Object.keys(table).find((key) => ['node', 'import', 'default'].includes(key))
  return condition === undefined ? undefined : exported(table[condition])
}

function realPath(path: string): string | undefined {
  try {
    return statSync(path).isFile() ? realpathSync(path) : undefined
  } catch {
    return undefined
  }
}
