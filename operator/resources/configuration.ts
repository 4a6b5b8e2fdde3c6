/**
 * The configuration that the processes of a deployment read, and its hash, which a pod template carries so that a change restarts.
 *
 * Parallelism and replicas are not in it: they change while everything runs.
 */
import { stringify } from 'yaml'
import type { DeploymentSpec } from '../api/deployment-spec.ts'
import { shortHash } from './hash.ts'
import { childNames, type Identity, PATHS, PORTS } from './names.ts'

/** What a manifest cannot set: it would part processes that belong together. */
function fixed(identity: Identity): Record<string, string> {
  return {
    'high-availability.type': 'kubernetes',
    'high-availability.cluster-id': identity.name,
    'tailrace.deployment.id': identity.uid,
    'rest.port': String(PORTS.rest),
    'jobmanager.rpc.port': String(PORTS.rpc),
  }
}

/** Unless the manifest says otherwise. */
const STANDARD: Record<string, string> = {
  'rest.bind-address': '0.0.0.0',
  'jobmanager.bind-host': '0.0.0.0',
  'taskmanager.bind-host': '0.0.0.0',
  'metrics.reporter.prom.port': String(PORTS.metrics),
  'jobmanager.scheduler': 'Adaptive',
  // An ended job is shown, and not run again by the container's next start.
  'execution.shutdown-on-application-finish': 'false',
  'io.tmp.dirs': PATHS.temporary,
  'process.working-dir': PATHS.work,
}

/**
 * @param slots per TaskManager
 */
export function configurationOf(identity: Identity, spec: DeploymentSpec, slots: number): Record<string, string> {
  const { job, jobManager, taskManager } = spec
  const values: Record<string, string> = {
    ...STANDARD,
    'jobmanager.memory.process.size': `${jobManager.memoryBytes}b`,
    'taskmanager.memory.process.size': `${taskManager.memoryBytes}b`,
    ...spec.configuration,
    'taskmanager.numberOfTaskSlots': String(slots),
    ...(job?.entry !== undefined && { 'tailrace.job.entry': job.entry }),
    ...fixed(identity),
  }
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** As `config.yaml`: flat keys, every value a text. */
export function configurationText(values: Record<string, string>): string {
  return stringify(values, { defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN', lineWidth: 0 })
}

export function configurationHash(values: Record<string, string>): string {
  return shortHash(values)
}

/** Where inline statements lie for the JobManager. */
export const SQL_FILE = 'job.sql'

/** @param text of `config.yaml` */
export function configurationFiles(
  identity: Identity,
  spec: DeploymentSpec,
  text: string,
): { name: string; data: Record<string, string> } {
  return {
    name: childNames(identity.name).configuration,
    data: {
      'config.yaml': text,
      ...spec.logConfiguration,
      ...(spec.job?.sql !== undefined && { [SQL_FILE]: spec.job.sql }),
    },
  }
}
