/** What a cluster lets onlookers see: REST and the page on one port, Prometheus on another. Loaded while the program does. */
import type { Submissions } from '../artifacts/submission.ts'
import { ConfigValues } from '../config/option.ts'
import { SLOTS } from '../config/options/processes.ts'
import { REST } from '../config/options/rest.ts'
import { systemClock } from '../core/clock.ts'
import type { Dispatcher } from '../jobmanager/dispatcher.ts'
import type { Programs, SubmissionOptions } from '../processes/submissions.ts'
import type { RestOptions } from '../rest/server.ts'
import type { ClusterSettings } from './settings.ts'

export interface Servers {
  /** Without a slash at its end; undefined when the page is off. */
  webUrl: string | undefined
  close(): Promise<void>
}

/** Who has stopped the last job may ask for so long where its savepoint is. */
const LINGER_MS = 5000

export interface ServersOptions extends Pick<RestOptions, 'shutdown' | 'logs'>, Pick<SubmissionOptions, 'ship'> {
  /** Runs what is uploaded; absent: nothing is. */
  programs?: Programs
}

export async function startServers(
  dispatcher: Dispatcher,
  settings: ClusterSettings,
  { programs, ship, shutdown, logs }: ServersOptions = {},
): Promise<Servers> {
  const { metricsPorts, restPorts, restAddress: host, options } = settings
  const { MetricsReader } = await import('../metrics/reader.ts')
  const metrics = new MetricsReader(dispatcher, systemClock)
  metrics.start()
  const submissions =
    programs === undefined || restPorts === undefined ? undefined : await submissionsOf(programs, ship, options)
  const servers = await Promise.all([
    restPorts === undefined
      ? undefined
      : import('../rest/server.ts').then(({ startRest }) =>
          startRest({
            dispatcher,
            metrics,
            port: restPorts,
            host,
            configuration: { ...options, [SLOTS.perTaskManager.key]: String(settings.slots) },
            canCancel: settings.canCancel,
            canRescale: settings.canRescale,
            shutdown,
            logs,
            submissions,
            lingerMs: LINGER_MS,
          }),
        ),
    import('../metrics/server.ts').then(({ startMetricsServer }) =>
      startMetricsServer({ source: metrics, port: metricsPorts, host }),
    ),
  ])
  return {
    webUrl: servers[0]?.url,
    close: async () => {
      metrics.stop()
      for (const server of servers) await server?.close()
      await submissions?.uploads.close()
    },
  }
}

/** undefined: `web.submit.enable` says so. */
async function submissionsOf(
  programs: Programs,
  ship: SubmissionOptions['ship'],
  options: Readonly<Record<string, string>>,
): Promise<Submissions | undefined> {
  const read = new ConfigValues(options, 'TR-CONFIG-001')
  if (!read.get(REST.canSubmit)) return undefined
  const [{ programSubmissions }, { Uploads }, { artifactSettings }] = await Promise.all([
    import('../processes/submissions.ts'),
    import('../artifacts/uploads.ts'),
    import('../artifacts/settings.ts'),
  ])
  const uploads = new Uploads({
    settings: artifactSettings(options),
    dir: read.get(REST.uploadDirectory),
    sizeMax: read.get(REST.contentLength),
  })
  return programSubmissions(programs, { uploads, configuration: options, ship })
}
