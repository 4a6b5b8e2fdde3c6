/** `tailrace taskmanager`: hosts slots for a JobManager until it is told to end. */
import type { OpenOptions } from '../artifacts/fetch-artifact.ts'
import { ConfigValues } from '../config/option.ts'
import { TASK_MANAGER } from '../config/options/processes.ts'
import { METRICS } from '../config/options/rest.ts'
import { errorToData } from '../core/errors.ts'
import { openClusterElection } from '../processes/high-availability.ts'
import { electedAddress, fixedAddress } from '../processes/leader-address.ts'
import { openLocalDisk } from '../processes/local-disk.ts'
import { fetchProgram } from '../processes/shipped-artifacts.ts'
import { TaskManagerProcess } from '../processes/taskmanager-process.ts'
import { internalTls } from '../rpc/tls/internal-tls.ts'
import { tcpDial } from '../rpc/wire/tcp.ts'
import { type ConfigurationFlags, commandConfiguration } from './configuration.ts'
import { EXIT } from './exit-codes.ts'
import { openProcessLog } from './process-log.ts'
import { useTemporaryDirectory } from './temporary-directory.ts'
import type { Terminal } from './terminal.ts'

export interface TaskManagerFlags extends ConfigurationFlags {
  metricsPort?: string
  logDir?: string
}

export async function taskmanager(flags: TaskManagerFlags, terminal: Terminal): Promise<number> {
  const { log, logs, configure } = openProcessLog('taskmanager', flags.logDir, terminal)
  const configuration = await commandConfiguration(flags, {
    environment: process.env,
    cwd: terminal.cwd,
    error: (text) => terminal.error(text),
  })
  configure(configuration)
  useTemporaryDirectory(configuration, process.env, terminal.cwd)
  const localDisk = await openLocalDisk({
    configuration,
    id: new ConfigValues(configuration, 'TR-CONFIG-001').get(TASK_MANAGER.id),
    cwd: terminal.cwd,
    log,
  })
  let artifacts: Promise<Omit<OpenOptions, 'entry'>> | undefined
  const election = await openClusterElection({ configuration, environment: process.env, log })
  const taskManager = TaskManagerProcess.start({
    configuration,
    environment: process.env,
    leader: election === undefined ? fixedAddress(configuration) : electedAddress(election),
    dial: tcpDial(internalTls(configuration)),
    localProgram: (program, peer) =>
      fetchProgram(program, peer, () => {
        artifacts ??= openArtifacts(configuration).catch((error) => {
          artifacts = undefined
          throw error
        })
        return artifacts
      }),
    localDisk,
    log,
    logs,
  })
  log(`TaskManager ${taskManager.id} starts`)
  void serveMetrics(taskManager, configuration, flags.metricsPort, log)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void taskManager.stop(`it got ${name}`))
  const { reason, failed } = await taskManager.ended
  await localDisk.close()
  log(`TaskManager ${taskManager.id} ends: ${reason}`)
  return failed ? EXIT.failed : EXIT.finished
}

/** For Prometheus, beside its work: without a free port it goes on, as a cluster is more than what is seen of it. */
async function serveMetrics(
  taskManager: TaskManagerProcess,
  configuration: Readonly<Record<string, string>>,
  flag: string | undefined,
  log: (text: string) => void,
): Promise<void> {
  try {
    const [{ startMetricsServer }, { ownSamples }] = await Promise.all([
      import('../metrics/server.ts'),
      import('../metrics/cluster-samples.ts'),
    ])
    const read = new ConfigValues(configuration, 'TR-CONFIG-001')
    const source = taskManager.metricsReader()
    const server = await startMetricsServer({
      source,
      unready: () => taskManager.unready,
      samples: (reader) => ownSamples(reader, { host: taskManager.host, tm_id: taskManager.id }),
      port: flag ?? read.get(METRICS.port),
      host: read.get(TASK_MANAGER.bindHost),
    })
    source.start()
    log(`Metrics on port ${server.port}`)
  } catch (error) {
    const { code, message } = errorToData(error)
    log(`Goes on without metrics: ${code} ${message}`)
  }
}

/** With the first artifact. */
async function openArtifacts(configuration: Readonly<Record<string, string>>): Promise<Omit<OpenOptions, 'entry'>> {
  const [{ openArtifactCache }, { artifactSettings }] = await Promise.all([
    import('../artifacts/cache.ts'),
    import('../artifacts/settings.ts'),
  ])
  const settings = artifactSettings(configuration, TASK_MANAGER.workingDirectory)
  return { settings, cache: await openArtifactCache({ dir: settings.dir, sizeMax: settings.cacheMax }) }
}
