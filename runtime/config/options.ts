/** All options that do something, in groups, and by each of their names. */
import { namesOf, type Option } from './option.ts'
import { AVAILABILITY, SCHEDULER } from './options/availability.ts'
import { CHECKPOINTING, RECOVERY } from './options/checkpointing.ts'
import { JOB } from './options/job.ts'
import { NETWORK } from './options/network.ts'
import { OPERATOR } from './options/operator.ts'
import { CLUSTER, JOB_MANAGER, SLOTS, TASK_MANAGER } from './options/processes.ts'
import { METRICS, REST } from './options/rest.ts'
import { RESTARTS } from './options/restarts.ts'
import { ARTIFACTS, INTERNAL_TLS } from './options/security.ts'
import { S3 } from './options/storage.ts'

/** Groups of options, in the order of docs/configuration.md; `name` is the export that sources read them by. */
export const GROUPS: readonly { title: string; name: string; options: Readonly<Record<string, Option<unknown>>> }[] = [
  { title: 'Jobs', name: 'JOB', options: JOB },
  { title: 'Checkpoints and savepoints', name: 'CHECKPOINTING', options: CHECKPOINTING },
  { title: 'What a job begins with', name: 'RECOVERY', options: RECOVERY },
  { title: 'Restarts', name: 'RESTARTS', options: RESTARTS },
  { title: 'S3', name: 'S3', options: S3 },
  { title: 'Slots', name: 'SLOTS', options: SLOTS },
  { title: 'Exchanges', name: 'NETWORK', options: NETWORK },
  { title: 'REST and the page', name: 'REST', options: REST },
  { title: 'Metrics', name: 'METRICS', options: METRICS },
  { title: 'TaskManagers', name: 'TASK_MANAGER', options: TASK_MANAGER },
  { title: 'JobManagers', name: 'JOB_MANAGER', options: JOB_MANAGER },
  { title: 'Clusters', name: 'CLUSTER', options: CLUSTER },
  { title: 'High availability', name: 'AVAILABILITY', options: AVAILABILITY },
  { title: 'Scheduling', name: 'SCHEDULER', options: SCHEDULER },
  { title: 'TLS between processes', name: 'INTERNAL_TLS', options: INTERNAL_TLS },
  { title: 'Artifacts', name: 'ARTIFACTS', options: ARTIFACTS },
  { title: 'The operator', name: 'OPERATOR', options: OPERATOR },
]

export const OPTIONS: readonly Option<unknown>[] = GROUPS.flatMap(({ options }) => Object.values(options))

const BY_NAME = new Map<string, Option<unknown>[]>()
for (const option of OPTIONS) {
  for (const name of namesOf(option)) BY_NAME.set(name, [...(BY_NAME.get(name) ?? []), option])
}
// What is no setting of its own, and stands in for one.
for (const option of OPTIONS) for (const name of option.fallback) if (!BY_NAME.has(name)) BY_NAME.set(name, [option])
/**
 * The options that a key sets: none when it is no option's, two when an older key stood for what are two now.
 *
 * @example
 * optionsNamed('state.checkpoints.dir') // [CHECKPOINTING.directory]
 */
export function optionsNamed(key: string): readonly Option<unknown>[] {
  return BY_NAME.get(key) ?? []
}

/** Keys of all options, older ones and those that stand in included. */
export function optionKeys(): Iterable<string> {
  return BY_NAME.keys()
}
