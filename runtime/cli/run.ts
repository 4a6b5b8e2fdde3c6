/**
 * `tailrace run JOB`: an embedded cluster for one program, with REST, the page and metrics.
 *
 * Output of the job goes to standard output; what is said about it goes to standard error, a line at its start and one at its end.
 */
import { type ErrorCode, type ErrorData, errorToData } from '../core/errors.ts'
import { EmbeddedCluster } from '../embedded/cluster.ts'
import type { JobMaster } from '../jobmanager/job-master.ts'
import type { ProgramSession, SessionEnd } from '../jobmanager/program-session.ts'
import { EXIT } from './exit-codes.ts'
import { openJob } from './job-program.ts'
import { describeEnd } from './job-report.ts'
import { reportError } from './report-error.ts'
import { type Servers, startServers } from './servers.ts'
import { type RunFlags, resolveSettings } from './settings.ts'
import { styleFor } from './style.ts'
import { useTemporaryDirectory } from './temporary-directory.ts'
import { processTerminal } from './terminal.ts'

const style = styleFor(process.stderr, process.env)

/** What is wrong is on the command line. */
const USAGE = new Set<ErrorCode>(['TR-CLI-001', 'TR-CONFIG-001', 'TR-ARTIFACT-001', 'TR-ARTIFACT-011'])

/** Runs a job to its end and returns the exit code. */
export async function run(job: string, args: string[], flags: RunFlags): Promise<number> {
  try {
    const settings = resolveSettings(flags)
    useTemporaryDirectory(settings.options, process.env, process.cwd())
    const { program, artifact } = await openJob(job, args, settings.options, processTerminal(process))
    const cluster = await EmbeddedCluster.start({
      host: 'worker',
      slots: settings.slots,
      timeouts: settings.timeouts,
      historyMax: settings.historyMax,
      operationKeptMs: settings.operationKeptMs,
      configuration: settings.options,
      ...(settings.slotHeapMb === undefined ? {} : { slotHeapMb: settings.slotHeapMb }),
      onPrint: (stream, text) => process[stream].write(text),
    })
    // The program's thread loads while the servers do.
    const servers = Promise.withResolvers<Servers>()
    servers.promise.catch(() => {})
    const session = await cluster.run(program, {
      onJob: (started) => void servers.promise.then(({ webUrl }) => announce(started, webUrl)),
      onJobEnd: (ended, { status }) => {
        if (status === 'FINISHED') process.stderr.write(describeEnd(ended.view(), style))
      },
    })
    const interrupts = cancelOnSignals(session)
    const shutdown = () => session.cancel()
    startServers(cluster.dispatcher, settings, { programs: cluster, shutdown }).then(servers.resolve, servers.reject)
    const end = await Promise.race([session.ended, failureOf(servers.promise)])
    if (end.status === 'CANCELED') process.stderr.write(`${style.dim('■')} cancelled\n`)
    await servers.promise.then(
      ({ close }) => close(),
      () => {},
    )
    await cluster.stop()
    await artifact?.release()
    interrupts.stop()
    if (end.status === 'FAILED') fail(end.error!)
    return { FINISHED: EXIT.finished, FAILED: EXIT.failed, CANCELED: EXIT.cancelled }[end.status]
  } catch (error) {
    const data = errorToData(error)
    fail(data)
    return USAGE.has(data.code) ? EXIT.usage : EXIT.failed
  }
}

function announce({ id, plan }: JobMaster, webUrl: string | undefined): void {
  const place = webUrl === undefined ? '' : `  ${style.cyan(`${webUrl}/#/jobs/${id}`)}`
  process.stderr.write(
    `${style.green('▶')} ${style.bold(plan.config.jobName)}${place}${style.dim('  Ctrl-C cancels')}\n`,
  )
}

/** The first signal cancels the job, the second ends the process. */
function cancelOnSignals(session: ProgramSession): { stop(): void } {
  let asked = false
  const onSignal = () => {
    if (asked) process.exit(EXIT.cancelled)
    asked = true
    process.stderr.write(`${style.dim('■')} cancelling … (again to stop at once)\n`)
    session.cancel()
  }
  const onPipe = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    // Whoever read the output is gone: `tailrace run job.ts | head`.
    process.exit(EXIT.brokenPipe)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  process.stdout.on('error', onPipe)
  return {
    stop() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
      process.stdout.off('error', onPipe)
    },
  }
}

/** A cluster whose page or metrics cannot be served ends; otherwise this never resolves. */
function failureOf(servers: Promise<Servers>): Promise<SessionEnd> {
  return new Promise((resolvePromise) => {
    servers.catch((error) => resolvePromise({ status: 'FAILED', error: errorToData(error), results: [] }))
  })
}

function fail(error: ErrorData): void {
  const debug = process.env.TAILRACE_DEBUG !== undefined && process.env.TAILRACE_DEBUG !== '0'
  process.stderr.write(reportError(error, { style, debug, cwd: process.cwd() }))
}
