/**
 * `tailrace jobmanager [JOB]`: with a job the cluster of one application, which ends with it; without, a session cluster that takes jobs by REST.
 */
import { errorToData } from '../core/errors.ts'
import { JobManager } from '../processes/jobmanager-process.ts'
import { ShippedArtifacts } from '../processes/shipped-artifacts.ts'
import { internalTls } from '../rpc/tls/internal-tls.ts'
import { tcpListen } from '../rpc/wire/tcp.ts'
import { type ConfigurationFlags, commandConfiguration } from './configuration.ts'
import { EXIT } from './exit-codes.ts'
import { openJob } from './job-program.ts'
import { startServers } from './servers.ts'
import { resolveSettings } from './settings.ts'
import type { Terminal } from './terminal.ts'

export interface JobManagerFlags extends ConfigurationFlags {
  parallelism?: string
  port?: string
  metricsPort?: string
}

export async function jobmanager(
  job: string | undefined,
  args: string[],
  flags: JobManagerFlags,
  terminal: Terminal,
): Promise<number> {
  const log = (text: string) => terminal.error(`${new Date().toISOString()} ${text}\n`)
  const config = await commandConfiguration(flags, {
    environment: process.env,
    cwd: terminal.cwd,
    error: (text) => terminal.error(text),
  })
  const settings = resolveSettings({ ...flags, web: true, config })
  const shipped = new ShippedArtifacts()
  const tls = internalTls(settings.options)
  const deposed = Promise.withResolvers<number>()
  const cluster = await JobManager.start({
    configuration: settings.options,
    environment: process.env,
    cwd: terminal.cwd,
    listen: tcpListen(tls, (error) => log(`${error.code} ${error.message}`)),
    // Above that of whoever led before on this machine.
    epoch: Date.now(),
    onDeposed: deposed.resolve,
    readArtifact: (...piece) => shipped.read(...piece),
    onPrint: (stream, text) => (stream === 'stdout' ? terminal.out(text) : terminal.error(text)),
    historyMax: settings.historyMax,
    operationKeptMs: settings.operationKeptMs,
    log,
  })
  const { address } = cluster
  log(`JobManager listens on ${address.host}:${address.port}`)
  const servers = await startServers(cluster.dispatcher, settings)
  if (servers.webUrl !== undefined) log(`REST and the page on ${servers.webUrl}`)
  const signal = Promise.withResolvers<'signal'>()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => signal.resolve('signal'))
  try {
    if (job === undefined) {
      const why = await Promise.race([signal.promise, deposed.promise])
      await cluster.stop(why === 'signal' ? { shutdown: 'the cluster was stopped' } : {})
      return why === 'signal' ? EXIT.finished : EXIT.failed
    }
    const { program, artifact } = await openJob(job, args, settings.options, terminal)
    if (artifact !== undefined) program.artifact = shipped.add(artifact)
    const session = cluster.run(program)
    const end = await Promise.race([session.ended, signal.promise, deposed.promise])
    if (typeof end !== 'object') {
      await cluster.stop(end === 'signal' ? { shutdown: 'the cluster was stopped' } : {})
      return end === 'signal' ? EXIT.cancelled : EXIT.failed
    }
    const { status, error } = end
    log(`The application has ended: ${status}${error === undefined ? '' : ` ${error.code} ${error.message}`}`)
    await cluster.stop({ shutdown: `the application has ended: ${status}` })
    await artifact?.release()
    return { FINISHED: EXIT.finished, FAILED: EXIT.failed, CANCELED: EXIT.cancelled }[status]
  } catch (error) {
    const { code, message } = errorToData(error)
    log(`${code} ${message}`)
    await cluster.stop()
    return EXIT.failed
  } finally {
    await servers.close()
  }
}
