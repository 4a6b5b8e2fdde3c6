/** All words that conditions and events give as their reasons, with what they mean: docs/kubernetes/operations.md shows them. */
import type { ConditionType } from '../../api/status.ts'

interface Meaning {
  /** Conditions that give it. */
  on: readonly ConditionType[]
  text: string
}

/** Of pods: whoever waits for them gives the same. */
const PODS = ['Ready', 'Stalled', 'JobManagerAvailable', 'TaskManagersAvailable'] as const
const AVAILABLE = ['JobManagerAvailable', 'TaskManagersAvailable'] as const

const REASONS = {
  Running: { on: ['Ready'], text: 'The job runs.' },
  SessionReady: { on: ['Ready'], text: 'The session cluster takes jobs.' },
  NotDeployed: {
    on: ['Ready'],
    text: 'Nothing has run yet: the spec is not valid, is suspended, or waits for a predecessor.',
  },
  Suspended: { on: ['Ready'], text: 'It is suspended; the message says what the next start goes on from.' },
  Created: { on: ['Ready'], text: 'The job waits for slots.' },
  Initializing: { on: ['Ready'], text: 'The job begins.' },
  Restarting: { on: ['Ready'], text: 'The job has failed and starts again, from its newest checkpoint.' },
  Failing: { on: ['Ready'], text: 'The job is failing.' },
  Failed: {
    on: ['Ready', 'Succeeded', 'SnapshotSucceeded'],
    text: 'The job has failed and does not restart; of a savepoint or checkpoint: it could not be taken.',
  },
  Cancelling: { on: ['Ready'], text: 'The job is being cancelled.' },
  Canceled: { on: ['Ready', 'Succeeded'], text: 'The job was cancelled by somebody.' },
  Finished: { on: ['Ready', 'Succeeded'], text: 'The job has come to its end.' },
  NotFinished: { on: ['Succeeded'], text: 'The job has not come to an end.' },
  Reconciling: { on: ['Ready'], text: 'Nobody knows the state of the job.' },
  JobManagerSilent: {
    on: ['Ready', 'Progressing'],
    text: 'No JobManager answers, or not one of this start. What it was asked for is asked of the next.',
  },
  Starting: { on: ['Ready', 'Progressing', ...AVAILABLE], text: 'Pods are on their way.' },
  AtRest: { on: ['Progressing'], text: 'Nothing is to be done.' },
  Upgrading: { on: ['Progressing'], text: 'The job stops with a savepoint, to go on from it.' },
  Rescaling: {
    on: ['Progressing'],
    text: 'The job moves to another parallelism, or TaskManagers that it has left go.',
  },
  TakingSavepoint: { on: ['Progressing'], text: 'A savepoint is being taken, behind which the job ends.' },
  SnapshotFirst: { on: ['Progressing'], text: 'What a nonce has asked for is taken before the upgrade.' },
  SavepointFailed: {
    on: ['Progressing'],
    text: 'The savepoint of an upgrade has failed. The job runs on as it was, and it is tried again.',
  },
  JobNotRunning: {
    on: ['Progressing'],
    text: 'An upgrade needs a savepoint, `last-state` is not allowed instead, and the job does not run.',
  },
  JobEnds: { on: ['Progressing'], text: 'The job is being cancelled.' },
  PodsLeave: { on: ['Progressing'], text: 'Pods of a deployment that goes are ending.' },
  PredecessorLeaves: { on: ['Progressing'], text: 'Objects of a deleted deployment of the same name are still going.' },
  Deleting: { on: ['Ready', 'Progressing'], text: 'It is being deleted.' },
  NoTrouble: { on: ['Stalled'], text: 'Nobody has to do anything.' },
  RestoreFailed: {
    on: ['Stalled'],
    text: 'The state of the job does not fit the new spec: the spec before runs again, from the same state.',
  },
  UpgradeFailed: { on: ['Stalled'], text: 'The savepoint of an upgrade has failed three times; it is tried on.' },
  JobFailed: { on: ['Stalled'], text: 'The job has failed for good; the message has its error.' },
  ApplyRefused: {
    on: ['Stalled'],
    text: 'The API server does not take an object of the deployment any more: rights, a policy or a quota.',
  },
  Valid: { on: ['ConfigValid'], text: 'The spec is valid.' },
  Warnings: { on: ['ConfigValid'], text: 'It is, and some of it has no effect or was interpreted.' },
  Invalid: { on: ['ConfigValid'], text: 'It is not; the message says all that is wrong. The last valid one runs on.' },
  Available: { on: AVAILABLE, text: 'There are enough pods that are ready.' },
  NotWanted: { on: AVAILABLE, text: 'Nothing is to run.' },
  Missing: { on: AVAILABLE, text: 'It is being made.' },
  Late: {
    on: ['CheckpointHealthy'],
    text: 'No checkpoint was completed for three intervals, and a minute at least.',
  },
  NotRunning: { on: ['CheckpointHealthy'], text: 'The job does not run.' },
  NotConfigured: { on: ['CheckpointHealthy'], text: '`execution.checkpointing.interval` is not set.' },
  NoneYet: { on: ['CheckpointHealthy', 'SnapshotSucceeded'], text: 'There was none yet.' },
  Completed: { on: ['CheckpointHealthy', 'SnapshotSucceeded'], text: 'The last one was completed.' },
  InProgress: { on: ['SnapshotSucceeded'], text: 'One that a nonce has asked for is being taken.' },
  ImagePullFailed: { on: PODS, text: 'The image cannot be pulled.' },
  Unschedulable: { on: PODS, text: 'No node has room for a pod, or none is allowed.' },
  CrashLoop: { on: PODS, text: 'A container ends again and again; the message has its last lines.' },
  OutOfMemory: { on: PODS, text: 'A container was killed, as it used more memory than its limit.' },
  ContainerFailed: { on: PODS, text: 'A container cannot be started.' },
  ContainerConfigInvalid: { on: PODS, text: 'A container cannot be made of what its pod says.' },
  SecretMissing: { on: PODS, text: 'A secret, or a key of it, is not there.' },
  ConfigMapMissing: { on: PODS, text: 'A ConfigMap, or a key of it, is not there.' },
  VolumeMissing: { on: PODS, text: 'A volume cannot be mounted.' },
  ServiceAccountMissing: { on: PODS, text: 'The service account that the spec names is not there.' },
  QuotaExceeded: { on: PODS, text: 'The quota of the namespace has no room for a pod.' },
  PodsRefused: { on: PODS, text: 'Pods are refused, by a policy or a webhook.' },
} as const satisfies Record<string, Meaning>

export type ConditionReason = keyof typeof REASONS
export const CONDITION_REASONS: Readonly<Record<ConditionReason, Meaning>> = REASONS

const EVENTS = {
  Submit: ['Normal', 'A start of the job: which generation, from what, and why.'],
  Stopping: ['Normal', 'The job is stopped with a savepoint for an upgrade; what has changed.'],
  Suspended: ['Normal', 'It is suspended, and where the next start goes on.'],
  Scaling: ['Normal', 'Another parallelism, on so many TaskManagers.'],
  Savepoint: ['Normal', 'A savepoint that was asked for, and where it lies.'],
  Checkpoint: ['Normal', 'A checkpoint that was asked for, and where it lies.'],
  JobStatusChanged: ['Normal', 'The job is in another state.'],
  Cleanup: ['Normal', 'A deleted deployment ends its job.'],
  ValidationError: ['Warning', 'The spec is not valid: what `ConfigValid` says.'],
  SavepointError: ['Warning', 'A savepoint that a nonce has asked for has failed. It is not tried again.'],
  CheckpointError: ['Warning', 'A checkpoint that a nonce has asked for has failed. It is not tried again.'],
  SavepointFailed: ['Warning', 'The savepoint of an upgrade has failed; the job runs on.'],
  JobManagerRefused: ['Warning', 'A JobManager has not taken what it was asked for; it is asked again.'],
  CleanupTimedOut: [
    'Warning',
    'A deleted deployment was let go at its deadline, whatever its job did; the newest checkpoint.',
  ],
  CleanupForced: ['Warning', 'A deleted deployment was let go by its annotation.'],
} as const satisfies Record<string, readonly ['Normal' | 'Warning', string]>

export type EventReason = keyof typeof EVENTS
/** Type and meaning. Besides them, each reason that `Stalled` becomes True by is told as a Warning. */
export const EVENT_REASONS: Readonly<Record<EventReason, readonly ['Normal' | 'Warning', string]>> = EVENTS
