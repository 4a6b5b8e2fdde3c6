/**
 * `tailrace jobmanager [JOB]`: with a job the cluster of one application, which ends with it; without, a session cluster that takes jobs by REST.
 *
 * With high availability several of them may run for one cluster, of which one leads. A leader that is none any more ends at once, whatever it does: what it had begun is fenced. One
 * that is told to end gives the lead away, and leaves TaskManagers and jobs to the next.
 *
 * Its start is short, since a cluster may have no output until it leads: what is not needed for the election is loaded while that goes on, the program's thread loads beside it, and REST is loaded when the
 * job runs.
 */
import type { Artifact } from '../artifacts/fetch-artifact.ts'
import { ConfigValues } from '../config/option.ts'
import { JOB } from '../config/options/job.ts'
import { CLUSTER, JOB_MANAGER } from '../config/options/processes.ts'
import { systemSchedule } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import type { Dispatcher } from '../jobmanager/dispatcher.ts'
import type { JobEndStatus } from '../jobmanager/job-status.ts'
import { endOfEarlierRun } from '../processes/earlier-run.ts'
import { JobManagerPort } from '../processes/jobmanager-port.ts'
import type { JobManager } from '../processes/jobmanager-process.ts'
import { programAhead } from '../processes/program-ahead.ts'
import { ShippedArtifacts } from '../processes/shipped-artifacts.ts'
import { shutdown } from '../processes/shutdown.ts'
import { ToldDeployment, type ToldDeploymentOptions } from '../processes/told-deployment.ts'
import { internalTls } from '../rpc/tls/internal-tls.ts'
import type { JobSummary } from '../rpc/views.ts'
import { tcpListen } from '../rpc/wire/tcp.ts'
import { type ConfigurationFlags, commandConfiguration } from './configuration.ts'
import { EXIT } from './exit-codes.ts'
import { type Job, openJob } from './job-program.ts'
import { type Candidacy, standForElection } from './leadership.ts'
import { openProcessLog } from './process-log.ts'
import { type Servers, type ServersOptions, startServers } from './servers.ts'
import { type ClusterSettings, resolveSettings } from './settings.ts'
import { useTemporaryDirectory } from './temporary-directory.ts'
import type { Terminal } from './terminal.ts'

export interface JobManagerFlags extends ConfigurationFlags {
  parallelism?: string
  port?: string
  metricsPort?: string
  logDir?: string
}

/** Where it is, once it leads. */
export interface JobManagerReady {
  type: 'ready'
  /** Of REST and the page. */
  webUrl: string | undefined
  /** `host:port` for TaskManagers. */
  rpc: string
}

/** Of the program of an application cluster, in the registry of jobs. */
const APPLICATION = 'application'
/** REST of an application waits for its job to run, but no longer. */
const REST_WAIT_MS = 1_500
const REST_POLL_MS = 20
const EXIT_OF: Readonly<Record<JobEndStatus, number>> = {
  FINISHED: EXIT.finished,
  FAILED: EXIT.failed,
  CANCELED: EXIT.cancelled,
}

export async function jobmanager(
  job: string | undefined,
  args: string[],
  flags: JobManagerFlags,
  terminal: Terminal,
  onReady: (ready: JobManagerReady) => void = () => {},
): Promise<number> {
  const { log, logs, print, configure } = openProcessLog('jobmanager', flags.logDir, terminal)
  const config = await commandConfiguration(flags, {
    environment: process.env,
    cwd: terminal.cwd,
    error: (text) => terminal.error(text),
  })
  configure(config)
  useTemporaryDirectory(config, process.env, terminal.cwd)
  const settings = resolveSettings({ ...flags, web: true, config })
  const takeThread = job === undefined ? undefined : programAhead(settings.options)
  const shipped = new ShippedArtifacts()
  const tls = internalTls(settings.options)
  /** `shutdown`: by REST, of the whole cluster. */
  const signal = Promise.withResolvers<'signal' | 'shutdown'>()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => signal.resolve('signal'))
  let leaves = false
  const onLost = (why: string) => {
    if (leaves) return
    log(`Does not lead any more: ${why}`)
    // Now, in the middle of whatever it does.
    process.exit(EXIT.deposed)
  }
  const port = await JobManagerPort.open({
    configuration: settings.options,
    listen: tcpListen(tls, (error) => log(`${error.code} ${error.message}`)),
    onDeposed: (epoch) => onLost(`epoch ${epoch} has begun`),
    log,
  })
  log(`JobManager listens on ${port.address.host}:${port.address.port}`)
  let opened: Job | undefined
  try {
    if (job !== undefined) opened = await openJob(job, args, settings.options, terminal)
  } catch (error) {
    const { code, message } = errorToData(error)
    log(`${code} ${message}`)
    return EXIT.failed
  }
  const read = new ConfigValues(settings.options, 'TR-CONFIG-001')
  const host = read.get(JOB_MANAGER.address)
  const close = shutdown({ configuration: settings.options, schedule: systemSchedule, log })
  const candidacy = await standForElection({ port, settings, host, environment: process.env, onLost, log }, APPLICATION)
  /** Another may lead, and go on with what runs. */
  const leave = async (code: number): Promise<number> => {
    leaves = true
    // Connections stay until the process ends.
    void port.close()
    await close('the election', candidacy.availability?.close())
    return code
  }
  // While the place of the lease answers.
  const loaded = import('../processes/jobmanager-process.ts')
  const elected = await Promise.race([candidacy.led, signal.promise])
  if (typeof elected === 'string') return leave(EXIT.finished)
  const { JobManager } = await loaded
  const cluster = JobManager.start({
    configuration: settings.options,
    environment: process.env,
    cwd: terminal.cwd,
    port,
    leadership: elected.leadership,
    onLost,
    readArtifact: (...piece) => shipped.read(...piece),
    onPrint: print,
    historyMax: settings.historyMax,
    operationKeptMs: settings.operationKeptMs,
    log,
    ...(takeThread === undefined ? {} : { startProgram: takeThread }),
  })
  let servers: Servers | undefined
  /** `execution.shutdown-on-application-finish: false`: it is shown until somebody ends the cluster. */
  const lingers = async (status: JobEndStatus): Promise<'signal' | 'shutdown'> => {
    log(`The cluster stays, with what was ${status} (${CLUSTER.shutdownWithApplication.key})`)
    return signal.promise
  }
  /** The application has ended. TaskManagers end with it, but for those that the next leader goes on with. */
  const ends = async (status: JobEndStatus): Promise<number> => {
    const stays = !read.get(CLUSTER.shutdownWithApplication)
    // Nobody can ask what became of a program that has had no job: the end of its process says it, and the last lines of its log.
    const isShown = cluster.dispatcher.list().length > 0
    if (stays && !isShown && candidacy.availability !== undefined) return leave(EXIT_OF[status])
    const why = stays && isShown ? await lingers(status) : 'shutdown'
    if (why === 'signal' && candidacy.availability !== undefined) return leave(EXIT.finished)
    await close('the cluster', cluster.stop({ shutdown: `the application has ended: ${status}` }))
    await opened?.artifact?.release()
    return leave(EXIT_OF[status])
  }
  const serve = async (more: ServersOptions = {}) => {
    servers = await startServers(
      cluster.dispatcher,
      { ...settings, restPorts: elected.restPorts },
      { ...more, shutdown: () => signal.resolve('shutdown'), logs },
    )
    await cluster.showEnded()
    if (servers.webUrl !== undefined) log(`REST and the page on ${servers.webUrl}`)
    const { host: bound, port: rpcPort } = port.address
    onReady({ type: 'ready', webUrl: servers.webUrl, rpc: `${bound}:${rpcPort}` })
  }
  try {
    if (opened === undefined) {
      const programs = await sessionPrograms(cluster, shipped, settings, log)
      await serve({ programs, ship: (artifact: Artifact, entry?: string) => shipped.add(artifact, entry) })
      await cluster.cleanUp()
      await programs.goOn()
      const why = await signal.promise
      if (why === 'signal' && candidacy.availability !== undefined) return await leave(EXIT.finished)
      await close('what is kept of programs', cluster.programs?.endAll())
      await close('the cluster', cluster.stop({ shutdown: 'the cluster was stopped' }))
      return await leave(EXIT.finished)
    }
    // A port that is taken is told before anything runs. One that stood by has it already.
    if (candidacy.availability === undefined) await serve()
    await cluster.cleanUp()
    const told = toldDeployment(cluster, candidacy, {
      generation: read.get(JOB.deploymentGeneration),
      // Whoever probes it finds it alive.
      onWait: async () => (servers === undefined ? serve() : undefined),
      log,
    })
    const restore = await Promise.race([told?.restore(), signal.promise])
    if (typeof restore === 'string') return await leave(EXIT.finished)
    const earlier = { before: candidacy.endedBefore, generation: restore?.generation }
    const before = await (cluster.programs && endOfEarlierRun(cluster.programs, APPLICATION, earlier))
    if (before !== undefined) {
      log(`The application has ended under an earlier leader: ${before}`)
      if (servers === undefined && !read.get(CLUSTER.shutdownWithApplication)) await serve()
      return await ends(before)
    }
    const { program, artifact, entry } = opened
    if (artifact !== undefined) program.artifact = shipped.add(artifact, entry).ref
    told?.followParallelism()
    const session = await cluster.runKept(APPLICATION, program, { restore })
    if (servers === undefined) {
      await Promise.race([runs(cluster.dispatcher), session.ended])
      await serve()
    }
    const end = await Promise.race([session.ended, signal.promise])
    if (typeof end === 'string') {
      if (end === 'signal' && candidacy.availability !== undefined) return await leave(EXIT.finished)
      await close('what is kept of programs', cluster.programs?.endAll())
      await close('the cluster', cluster.stop({ shutdown: 'the cluster was stopped' }))
      return await leave(EXIT.cancelled)
    }
    const { status, error } = end
    log(`The application has ended: ${status}${error === undefined ? '' : ` ${error.code} ${error.message}`}`)
    return await ends(status)
  } catch (error) {
    const { code, message } = errorToData(error)
    log(`${code} ${message}`)
    await close('the cluster', cluster.stop())
    return await leave(EXIT.failed)
  } finally {
    await close('REST and metrics', servers?.close())
  }
}

/** Resolves when all tasks of a job run, or have not for {@link REST_WAIT_MS}. */
async function runs(dispatcher: Dispatcher): Promise<void> {
  const isUp = ({ tasks }: JobSummary) =>
    Object.entries(tasks).every(([state, count]) => count === 0 || state === 'RUNNING')
  for (let ms = 0; ms < REST_WAIT_MS && !dispatcher.list().some(isUp); ms += REST_POLL_MS)
    await new Promise((resolve) => setTimeout(resolve, REST_POLL_MS))
}

/** What the programs of a session cluster need is loaded here: an application does not. */
async function sessionPrograms(
  cluster: JobManager,
  shipped: ShippedArtifacts,
  { options, historyMax }: ClusterSettings,
  log: (text: string) => void,
) {
  const [{ SessionPrograms }, { openArtifactCache }, { artifactSettings }] = await Promise.all([
    import('../processes/session-programs.ts'),
    import('../artifacts/cache.ts'),
    import('../artifacts/settings.ts'),
  ])
  const artifacts = async () => {
    const local = artifactSettings(options)
    return { settings: local, cache: await openArtifactCache({ dir: local.dir, sizeMax: local.cacheMax }) }
  }
  return new SessionPrograms({ cluster, shipped, artifacts, historyMax, log })
}

/** undefined: nobody tells the leader anything. */
function toldDeployment(
  { dispatcher }: JobManager,
  { availability }: Candidacy,
  options: Omit<ToldDeploymentOptions, 'directives' | 'setParallelism'>,
): ToldDeployment | undefined {
  const directives = availability?.directives
  if (directives === undefined) return undefined
  const setParallelism = (parallelism: number | undefined) => dispatcher.directParallelism(parallelism)
  return new ToldDeployment({ directives, setParallelism, ...options })
}
