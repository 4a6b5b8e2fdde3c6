/**
 * `tailrace check --savepoint PATH JOB`: whether a job can go on from a checkpoint or savepoint. Runs the job's main up to its first execute() and no further, and reads the metadata:
 * nothing is started.
 */
import { checkRestore } from '../checkpoint/check.ts'
import { describeCheckpoint } from '../checkpoint/describe.ts'
import { RESTORE_KEYS, restoreSettings } from '../checkpoint/restore-settings.ts'
import { type OpenStore, openSavepoint } from '../checkpoint/savepoint.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { planOf } from '../program/plan-of.ts'
import { reportCheck } from './checkpoint-report.ts'
import { EXIT } from './exit-codes.ts'
import { openJob } from './job-program.ts'
import { reportError } from './report-error.ts'
import { resolveSettings } from './settings.ts'
import type { Terminal } from './terminal.ts'

export interface CheckFlags {
  parallelism?: string
  /** With the path to restore from and how (restore-flags.ts). */
  config: Record<string, string>
  json: boolean
}

export async function check(
  job: string,
  args: string[],
  flags: CheckFlags,
  open: OpenStore,
  terminal: Terminal,
): Promise<number> {
  try {
    const { out, outStyle, cwd } = terminal
    const { parallelism, config } = flags
    const settings = resolveSettings({ web: false, config, ...(parallelism === undefined ? {} : { parallelism }) })
    const restore = restoreSettings(settings.options)
    if (restore === undefined)
      throw new TailraceError(
        'TR-CLI-001',
        `Cannot check "${job}" against nothing: wanted --savepoint PATH, or -D ${RESTORE_KEYS.path[0]}=PATH`,
      )
    const { program, artifact } = await openJob(job, args, settings.options, terminal)
    const savepoint = await openSavepoint(restore.path, { open, cwd })
    await savepoint.close()
    const plan = await planOf(program)
    await artifact?.release()
    const { metadata } = savepoint
    const checked = checkRestore({ metadata, plan, allowNonRestoredState: restore.allowNonRestoredState })
    const description = describeCheckpoint(metadata)
    const { jobName } = plan.config
    if (flags.json) {
      const { operators: _, ...facts } = description
      out(`${JSON.stringify({ savepoint: { path: savepoint.path, ...facts }, jobName, ...checked }, null, 2)}\n`)
    } else out(reportCheck(description, { name: jobName, file: job }, checked, outStyle))
    return checked.fits ? EXIT.finished : EXIT.misfit
  } catch (error) {
    const data = errorToData(error)
    terminal.error(reportError(data, terminal.report))
    return data.code === 'TR-CLI-001' || data.code === 'TR-CONFIG-001' || data.code === 'TR-CHECKPOINT-006'
      ? EXIT.usage
      : EXIT.failed
  }
}
