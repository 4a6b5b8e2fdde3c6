/**
 * Bundles a job and the packages that it uses into one ES module, with esbuild.
 *
 * What must hold:
 * - the library stays outside: every import of `tailrace` means the copy that runs the job;
 * - equal input gives equal bytes: no times, no places of this machine (the source map's paths are relative to the job's package);
 * - packages with native parts, and those that the caller names, stay outside too; they are what a `.tgz` carries.
 */
import { basename, dirname, join } from 'node:path'
import type * as Esbuild from 'esbuild'
import { TailraceError } from '../core/errors.ts'
import { recordLine } from './built-for.ts'
import { isNative, locate, packageDirectory, packageName } from './node-packages.ts'

export interface Bundle {
  code: string
  /** Packages that stay outside: names, and the directories that they are in for the job. */
  outside: ReadonlyMap<string, string>
}

export interface BundleOptions {
  /** Absolute. */
  job: string
  /** Version of the library that it is built for. */
  version: string
  /** Packages to leave outside besides the native ones. */
  external?: readonly string[]
}

/** CommonJS packages ask for Node's modules with require(), which an ES module has not. */
const REQUIRE =
  "import { createRequire as __tailraceCreateRequire } from 'node:module'\n" +
  'const require = __tailraceCreateRequire(import.meta.url)'
/** What esbuild puts where something asks for it. */
const REQUIRE_SHIM = /^var __require = /m

/** Throws TR-ARTIFACT-010, with the line of the job, for what cannot be bundled. */
export async function bundle({ job, version, external = [] }: BundleOptions): Promise<Bundle> {
  const esbuild = await import('esbuild')
  const outside = new Map<string, string>()
  const root = packageDirectory(job) ?? dirname(job)
  const record = recordLine({ builtFor: version, entry: basename(job) })
  const build = (banner: string) =>
    esbuild.build({
      entryPoints: [job],
      absWorkingDir: root,
      // Where it would lie if it were written: the paths of the source map begin there.
      outfile: join(root, 'job.mjs'),
      write: false,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      charset: 'utf8',
      legalComments: 'none',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
      banner: { js: banner },
      plugins: [leaveOutside(outside, external)],
    })
  try {
    let code = (await build(record)).outputFiles[0]!.text
    if (REQUIRE_SHIM.test(code)) code = (await build(`${record}\n${REQUIRE}`)).outputFiles[0]!.text
    return { code, outside }
  } catch (error) {
    throw cannotBundle(job, error as Esbuild.BuildFailure)
  }
}

function leaveOutside(outside: Map<string, string>, external: readonly string[]): Esbuild.Plugin {
  return {
    name: 'tailrace',
    setup(build) {
      build.onResolve({ filter: /^tailrace(\/|$)/ }, ({ path }) => ({ path, external: true }))
      build.onResolve({ filter: /^[^./]/ }, ({ path, resolveDir, kind }) => {
        const name = packageName(path)
        if (kind === 'entry-point' || name === undefined) return undefined
        const dir = locate(name, resolveDir)
        if (dir === undefined || !(external.includes(name) || isNative(dir))) return undefined
        outside.set(name, dir)
        return { path, external: true }
      })
      // One of the job's own, beside it: there is no package to carry it in.
      build.onLoad({ filter: /\.node$/ }, ({ path }) => ({
        errors: [{ text: `"${path}" is a native module of its own, wanted: one in a package of node_modules` }],
      }))
    },
  }
}

function cannotBundle(job: string, failure: Esbuild.BuildFailure): TailraceError {
  const [first] = failure.errors ?? []
  const at = first?.location
  const where = at ? ` at ${at.file}:${at.line}:${at.column + 1}` : ''
  const more = failure.errors?.length > 1 ? ` (and ${failure.errors.length - 1} more)` : ''
  return new TailraceError(
    'TR-ARTIFACT-010',
    `Cannot build "${job}": ${first?.text ?? failure.message}${where}${more}`,
    { cause: failure },
  )
}
