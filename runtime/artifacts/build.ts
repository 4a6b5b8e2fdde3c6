/**
 * Builds a job into an artifact: one `.mjs`, or a `.tgz` with the packages that cannot be in one module.
 *
 * In a package there are package.json, which names module and version, job.mjs, and node_modules/. What must hold: equal input
 * gives equal bytes; the output has its name when it is whole.
 */
import { createHash, randomUUID } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TailraceError } from '../core/errors.ts'
import { version as runningVersion } from '../program/running-copy.ts'
import { type BundleOptions, bundle } from './bundle.ts'
import { closure, filesOf, manifestOf } from './node-packages.ts'
import { type PackedFile, pack } from './pack.ts'

export interface BuildOptions extends Omit<BundleOptions, 'version'> {
  /** Absolute; its extension says what is built. undefined: `<name of the job>.mjs` or `.tgz` in `outDir`. */
  out?: string | undefined
  outDir: string
  /** A `.tgz` also where one module would do. */
  package?: boolean
  version?: string
}

export interface Built {
  path: string
  size: number
  sha256: string
  /** Packages that it carries, as `name@version`. */
  packages: string[]
  /** What it was built for. */
  version: string
}

/**
 * Throws TR-ARTIFACT-010 for a job that cannot be built, 012 when the output cannot be written.
 *
 * @example
 * const { path, sha256 } = await buildArtifact({ job: '/app/job.ts', outDir: '/app/dist' })
 */
export async function buildArtifact(options: BuildOptions): Promise<Built> {
  const { job, external = [], version = runningVersion } = options
  const { code, outside } = await bundle({ job, version, external })
  const packed = options.package === true || outside.size > 0
  const out = options.out ?? join(options.outDir, `${basename(job).replace(/\.[^.]+$/, '')}.${packed ? 'tgz' : 'mjs'}`)
  const isPackage = /\.(tgz|tar\.gz)$/.test(out)
  if (!isPackage && !out.endsWith('.mjs'))
    throw new TailraceError('TR-ARTIFACT-010', `Cannot build "${out}": wanted a name that ends in .mjs or .tgz`)
  if (!isPackage && packed) {
    const why =
      outside.size > 0 ? `${[...outside.keys()].join(', ')} cannot be in one module` : '--package was asked for'
    throw new TailraceError('TR-ARTIFACT-010', `Cannot build "${out}": ${why}, wanted: a name that ends in .tgz`)
  }
  if (out === job) throw new TailraceError('TR-ARTIFACT-010', `Cannot build "${out}": it is the job itself`)
  const carried = closure(outside)
  const chunks: Uint8Array[] = []
  if (isPackage) for await (const chunk of pack(packageOf(job, code, version, carried))) chunks.push(chunk)
  else chunks.push(Buffer.from(code))
  const bytes = Buffer.concat(chunks)
  await write(out, bytes)
  return {
    path: out,
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    packages: carried.map(({ dir }) => nameOf(dir)),
    version,
  }
}

function packageOf(job: string, code: string, version: string, carried: ReturnType<typeof closure>): PackedFile[] {
  const manifest = {
    name: basename(job).replace(/\.[^.]+$/, ''),
    private: true,
    type: 'module',
    main: 'job.mjs',
    tailrace: { builtFor: version, entry: 'job.mjs' },
  }
  const text = (path: string, content: string) => ({ path, executable: false, read: () => Buffer.from(content) })
  return [
    text('package.json', `${JSON.stringify(manifest, null, 2)}\n`),
    text('job.mjs', code),
    ...carried.flatMap(({ path, dir }) =>
      filesOf(dir).map((file) => ({
        path: `${path}/${file}`,
        executable: isExecutable(join(dir, file)),
        read: () => readFileSync(join(dir, file)),
      })),
    ),
  ]
}

async function write(out: string, bytes: Uint8Array): Promise<void> {
  const aside = `${out}.${randomUUID()}`
  try {
    await mkdir(dirname(out), { recursive: true })
    await writeFile(aside, bytes)
    await rename(aside, out)
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {})
    throw new TailraceError('TR-ARTIFACT-012', `Cannot write "${out}": ${(cause as Error).message}`, { cause })
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return (statSync(path).mode & 0o100) !== 0
  } catch {
    return false
  }
}

function nameOf(dir: string): string {
  const { name = basename(dir), version = '' } = manifestOf(dir) ?? {}
  return `${name}@${version}`
}
