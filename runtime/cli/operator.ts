/** `tailrace operator`: looks after StreamDeployments in Kubernetes until it is told to end. operator/ is loaded here, and only when the command is called. */
import { hostname } from 'node:os'
import { ConfigValues } from '../config/option.ts'
import { OPERATOR } from '../config/options/operator.ts'
import { METRICS } from '../config/options/rest.ts'
import { systemClock, systemSchedule } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import { version } from '../program/running-copy.ts'
import { type ConfigurationFlags, commandConfiguration } from './configuration.ts'
import { EXIT } from './exit-codes.ts'
import { openProcessLog } from './process-log.ts'
import type { Terminal } from './terminal.ts'

export interface OperatorFlags extends ConfigurationFlags {
  watchNamespaces?: string
  parallelism?: string
  healthPort?: string
  metricsPort?: string
  /** `--no-leader-election` */
  leaderElection?: boolean
}

/** Where it is asked for health and metrics. */
export interface OperatorReady {
  type: 'ready'
  healthPort: number
  metricsPort: number
}

export async function operator(
  flags: OperatorFlags,
  terminal: Terminal,
  onReady: (ready: OperatorReady) => void = () => {},
): Promise<number> {
  const { env } = process
  const { log } = openProcessLog('operator', undefined, terminal)
  const configuration = await commandConfiguration(flags, {
    environment: env,
    cwd: terminal.cwd,
    error: (text) => terminal.error(text),
  })
  const [{ openAccess }, { httpTransport }, { OperatorProcess }, { CONTROLLERS }] = await Promise.all([
    import('../ha/kubernetes-access.ts'),
    import('../ha/kubernetes-http.ts'),
    import('../../operator/operator-process.ts'),
    import('../../operator/controllers.ts'),
  ])
  try {
    const access = await openAccess({ environment: env, clock: systemClock })
    const running = await OperatorProcess.start({
      transport: httpTransport(access, `tailrace-operator/${version}`),
      settings: settingsOf(flags, configuration, env, access.namespace),
      controllers: CONTROLLERS,
      identity: env.POD_NAME || hostname(),
      clock: systemClock,
      schedule: systemSchedule,
      random: Math.random,
      log,
    })
    log(
      `The operator ${version} asks ${access.server}; health on port ${running.healthPort}, metrics on ${running.metricsPort}`,
    )
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void running.stop(`it got ${name}`))
    onReady({ type: 'ready', healthPort: running.healthPort, metricsPort: running.metricsPort })
    const { deposed } = await running.ended
    return deposed ? EXIT.deposed : EXIT.finished
  } catch (error) {
    const { code, message } = errorToData(error)
    // Wrong usage, as the command line says it.
    if (code === 'TR-CONFIG-001') throw error
    log(`${code} ${message}`)
    return EXIT.failed
  }
}

/**
 * Undefined: all of them, also by Flink's word for that.
 *
 * @example
 * namespacesOf('jobs, more-jobs') // ['jobs', 'more-jobs']
 */
export function namespacesOf(text: string | undefined): string[] | undefined {
  const names = (text ?? '').split(/[,;]/).flatMap((name) => name.trim() || [])
  return names.length === 0 || names.includes('JOSDK_ALL_NAMESPACES') ? undefined : names
}

/** A flag wins over its key. */
function settingsOf(
  flags: OperatorFlags,
  configuration: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
  ownNamespace: string,
) {
  const flagged: Record<string, string> = {}
  for (const [key, text] of [
    [OPERATOR.namespaces.key, flags.watchNamespaces],
    [OPERATOR.parallelism.key, flags.parallelism],
    [OPERATOR.healthPort.key, flags.healthPort],
    [METRICS.port.key, flags.metricsPort],
    [OPERATOR.lease.key, configuration[OPERATOR.lease.key] ?? environment.TAILRACE_OPERATOR_LEASE],
    [OPERATOR.elects.key, flags.leaderElection === false ? 'false' : undefined],
  ] as const)
    if (text) flagged[key] = text
  const read = new ConfigValues({ ...configuration, ...flagged }, 'TR-CONFIG-001')
  return {
    namespaces: namespacesOf(read.get(OPERATOR.namespaces)),
    labelSelector: read.get(OPERATOR.labelSelector),
    concurrency: read.get(OPERATOR.parallelism),
    resyncMs: read.get(OPERATOR.resync),
    election: read.get(OPERATOR.elects)
      ? {
          namespace: environment.POD_NAMESPACE || ownNamespace,
          lease: read.get(OPERATOR.lease),
          timing: {
            leaseMs: read.get(OPERATOR.leaseDuration),
            renewDeadlineMs: read.get(OPERATOR.renewDeadline),
            retryMs: read.get(OPERATOR.retryPeriod),
          },
        }
      : undefined,
    healthPort: read.get(OPERATOR.healthPort),
    metricsPort: read.get(METRICS.port),
    drainMs: read.get(OPERATOR.drainTimeout),
  }
}
