/** High availability, and how jobs get slots. */
import { option } from '../option.ts'
import { boolean, duration, integer, oneOf, ports, text } from '../types.ts'

const LEASE = 'high-availability.kubernetes.leader-election.'

export const AVAILABILITY = {
  type: option({
    key: 'high-availability.type',
    older: ['high-availability', 'recovery.mode'],
    type: oneOf(['none', 'file', 'kubernetes'], {
      'org.apache.flink.kubernetes.highavailability.KubernetesHaServicesFactory': 'kubernetes',
    }),
    standard: 'none',
    text: 'What elects the leader among JobManagers: nothing, a lock file in `high-availability.storageDir`, or a Lease of Kubernetes.',
  }),
  storage: option({
    key: 'high-availability.storageDir',
    older: ['high-availability.zookeeper.storageDir', 'recovery.zookeeper.storageDir'],
    type: text(),
    unset: 'as `execution.checkpointing.dir`',
    text: 'Where plans and artifacts lie for the next leader: a path, `file:///…` or `s3://…`.',
  }),
  clusterId: option({
    key: 'high-availability.cluster-id',
    older: ['high-availability.zookeeper.path.namespace', 'recovery.zookeeper.path.namespace'],
    type: text(),
    standard: 'default',
    text: 'Tells clusters apart that share a storage, an election or a network.',
  }),
  port: option({
    key: 'high-availability.jobmanager.port',
    older: ['recovery.jobmanager.port'],
    fallback: ['jobmanager.rpc.port'],
    type: ports,
    unset: 'as `jobmanager.rpc.port`',
    text: 'Of the RPC of JobManagers that are elected.',
  }),
  leaseDuration: option({
    key: `${LEASE}lease-duration`,
    type: duration({ atLeastMs: 1000 }),
    standard: '5 s',
    text: 'A leader that has not renewed its lease for so long may be replaced.',
  }),
  renewDeadline: option({
    key: `${LEASE}renew-deadline`,
    type: duration({ atLeastMs: 100 }),
    standard: '3 s',
    text: 'A leader that cannot renew its lease for so long stops leading.',
  }),
  retryPeriod: option({
    key: `${LEASE}retry-period`,
    type: duration({ atLeastMs: 10 }),
    standard: '1 s',
    text: 'Between two attempts to take or renew the lease.',
  }),
}

const NS = 'jobmanager.adaptive-scheduler.'

export const SCHEDULER = {
  kind: option({
    key: 'jobmanager.scheduler',
    type: oneOf(['Default', 'Adaptive']),
    standard: 'Default',
    text: 'Adaptive: a job runs with less than it wants when there is no more. Default: with all or not at all. Both change the parallelism when they are asked to.',
  }),
  mode: option({
    key: 'scheduler-mode',
    type: oneOf(['REACTIVE']),
    text: 'REACTIVE: a job takes all slots that there are, up to the max parallelism of its vertices. Those that the program gave a parallelism of their own keep it.',
  }),
  waitTimeout: option({
    key: `${NS}submission.resource-wait-timeout`,
    older: [`${NS}resource-wait-timeout`],
    type: duration({ atLeastMs: -1 }),
    unset: '`slot.request.timeout`; with `scheduler-mode: REACTIVE` for ever',
    text: 'With `jobmanager.scheduler: Adaptive`, a job that has not even the fewest slots it can run with for so long fails; -1: it waits for ever.',
  }),
  stabilization: option({
    key: `${NS}submission.resource-stabilization-timeout`,
    older: [`${NS}resource-stabilization-timeout`],
    type: duration(),
    standard: '5 s',
    text: 'A job with enough slots to run, and fewer than it wants, waits so long for more; not at all with `scheduler-mode: REACTIVE`, unless this is set.',
  }),
  cooldown: option({
    key: `${NS}executing.cooldown-after-rescaling`,
    older: [`${NS}scaling-interval.min`],
    type: duration(),
    standard: '1 s',
    text: 'Between two changes of the parallelism.',
  }),
  runningStabilization: option({
    key: `${NS}executing.resource-stabilization-timeout`,
    older: [`${NS}scaling-interval.max`],
    type: duration(),
    standard: '10 s',
    text: 'A running job that could have more slots, and fewer than it wants, waits so long for the rest.',
  }),
  minimalTaskManagers: option({
    key: `${NS}prefer-minimal-taskmanagers`,
    type: boolean,
    standard: 'true',
    text: 'Slots of few TaskManagers are taken and kept, so that others can go, unless `taskmanager.load-balance.mode` says otherwise.',
  }),
  activeCheckpoint: option({
    key: `${NS}rescale-trigger.active-checkpoint.enabled`,
    type: boolean,
    standard: 'true',
    text: 'A change of the parallelism takes a checkpoint of its own; false: it waits for the next one, where `execution.checkpointing.interval` says that one comes.',
  }),
  checkpointFailures: option({
    key: `${NS}rescale-trigger.max-checkpoint-failures`,
    type: integer({ atLeast: 1 }),
    standard: '2',
    text: 'After so many checkpoints that failed the parallelism changes from the last one that is complete.',
  }),
  triggerDelay: option({
    key: `${NS}rescale-trigger.max-delay`,
    type: duration(),
    unset: 'until the checkpoint is there, or as many have failed as may',
    text: 'The longest that a change of the parallelism waits for a checkpoint; then the job goes on from the last one that is complete.',
  }),
}
