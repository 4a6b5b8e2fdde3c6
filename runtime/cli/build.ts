/**
 * `tailrace build JOB`: an artifact of a job. Then, unless told otherwise, what was written is loaded as a slot loads it, twice, in threads of their own: a job
 * that cannot be loaded, or builds another graph each time, is found here and not on a cluster.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Built, buildArtifact } from '../artifacts/build.ts'
import { openArtifactCache } from '../artifacts/cache.ts'
import { fetchArtifact } from '../artifacts/fetch-artifact.ts'
import { artifactSettings } from '../artifacts/settings.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { planInThread } from '../embedded/plan-in-thread.ts'
import type { Plan } from '../graph/model.ts'
import { firstDifference } from '../graph/plan.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import { EXIT } from './exit-codes.ts'
import { jobProgram } from './job-program.ts'
import { reportError } from './report-error.ts'
import { resolveSettings } from './settings.ts'
import type { Terminal } from './terminal.ts'

export interface BuildFlags {
  out?: string
  package: boolean
  external: string[]
  check: boolean
  config: Record<string, string>
  json: boolean
}

export async function build(job: string, args: string[], flags: BuildFlags, terminal: Terminal): Promise<number> {
  const { cwd, out: print, outStyle: style } = terminal
  try {
    const { options } = resolveSettings({ web: false, config: flags.config })
    const program = jobProgram(job, args, options, cwd)
    const built = await buildArtifact({
      job: fileURLToPath(program.url),
      out: flags.out === undefined ? undefined : resolve(cwd, flags.out),
      outDir: resolve(cwd, 'dist'),
      package: flags.package,
      external: flags.external,
    })
    const plan = flags.check ? await check(built, program) : undefined
    if (flags.json) print(`${JSON.stringify({ ...built, ...(plan && { planHash: plan.hash }) }, null, 2)}\n`)
    else print(report(built, plan, style.dim))
    return EXIT.finished
  } catch (error) {
    const data = errorToData(error)
    terminal.error(reportError(data, terminal.report))
    return data.code === 'TR-CLI-001' || data.code === 'TR-CONFIG-001' ? EXIT.usage : EXIT.failed
  }
}

async function check({ path, sha256 }: Built, program: ProgramRef): Promise<Plan> {
  const dir = mkdtempSync(join(tmpdir(), 'tailrace-build-'))
  try {
    const settings = artifactSettings({})
    const cache = await openArtifactCache({ dir, sizeMax: settings.cacheMax })
    const { moduleUrl } = await fetchArtifact(path, { settings, cache, sha256 })
    const [first, second] = await Promise.all([1, 2].map(() => planInThread({ ...program, url: moduleUrl })))
    if (first!.hash === second!.hash) return first!
    throw new TailraceError(
      'TR-PROGRAM-001',
      `Cannot use "${path}": main builds another graph each time it runs: ${firstDifference(first!, second!) ?? 'their hashes differ'}. Make main depend on its arguments and parameters only, and compute everything else with env.once()`,
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function report(
  { path, size, sha256, packages, version }: Built,
  plan: Plan | undefined,
  dim: (text: string) => string,
) {
  const lines = [
    path,
    `  ${dim('size    ')}${size} bytes`,
    `  ${dim('sha256  ')}${sha256}`,
    `  ${dim('for     ')}Tailrace ${version}`,
    ...(packages.length === 0
      ? []
      : [`  ${dim('carries ')}${packages.join(', ')} (for ${process.platform} ${process.arch})`]),
    ...(plan === undefined ? [] : [`  ${dim('loads   ')}"${plan.config.jobName}", ${plan.vertices.length} vertices`]),
  ]
  return `${lines.join('\n')}\n`
}
