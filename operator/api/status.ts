/**
 * The schema of a StreamDeployment's status: what the operator has seen, and what it is in the middle of.
 *
 * No text here is bounded, as no rule is evaluated on it, and a report must not be refused for its length.
 * It is a log as much as a report: what a step is about to do is written here before it does it, so that an operator that comes after finds its place. Names are those of Flink's operator where the thing is the same.
 */
import { z } from 'zod'
import { anyText, kept, listMap, moment, nonce, whole } from './schema-words.ts'

export const JOB_STATES = [
  'CREATED',
  'INITIALIZING',
  'RUNNING',
  'FAILING',
  'FAILED',
  'CANCELLING',
  'CANCELED',
  'FINISHED',
  'RESTARTING',
  'SUSPENDED',
  'RECONCILING',
] as const

export const LIFECYCLE_STATES = [
  'CREATED',
  'UPGRADING',
  'DEPLOYED',
  'STABLE',
  'SUSPENDED',
  'ROLLING_BACK',
  'ROLLED_BACK',
  'FAILED',
  'DELETING',
  'DELETED',
] as const

/** Types of conditions, in the order in which they are shown. */
export const CONDITION_TYPES = [
  'Ready',
  'Progressing',
  'Stalled',
  'ConfigValid',
  'JobManagerAvailable',
  'TaskManagersAvailable',
  'CheckpointHealthy',
  'SnapshotSucceeded',
  'Succeeded',
] as const

const condition = z
  .object({
    type: anyText(
      'What it is about: Ready, Progressing, Stalled, ConfigValid, JobManagerAvailable, TaskManagersAvailable, CheckpointHealthy, SnapshotSucceeded or Succeeded.',
    ),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so.'),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe('Why, in one word that programs may read.'),
    message: anyText('Why, for people.'),
    lastTransitionTime: moment('Since when `status` is what it is.'),
    observedGeneration: whole('The generation of the spec that it is about.', { min: 0 }).optional(),
  })
  .describe('Something that is so, is not so, or is not known.')

const triggerType = z.enum(['MANUAL', 'PERIODIC', 'UPGRADE', 'UNKNOWN']).describe('Who asked for it.')

const savepoint = z
  .object({
    location: anyText('Where it lies.').optional(),
    timeStamp: whole('When it was complete, in milliseconds since 1970.').optional(),
    triggerNonce: nonce('The nonce that asked for it.').optional(),
    triggerType: triggerType.optional(),
    formatType: z.enum(['CANONICAL', 'NATIVE', 'UNKNOWN']).describe('Its format.').optional(),
    error: anyText('Why there is none.').optional(),
  })
  .describe('A savepoint, or one that failed.')

const savepointInfo = z
  .object({
    lastSavepoint: savepoint.optional(),
    triggerId: anyText('The savepoint that is being taken; empty when there is none.').optional(),
    triggerTimestamp: whole('When it was asked for, in milliseconds since 1970.').optional(),
    triggerNonce: nonce('The nonce that asked for it.').optional(),
    triggerType: triggerType.optional(),
    formatType: z.enum(['CANONICAL', 'NATIVE', 'UNKNOWN']).describe('The format that it will have.').optional(),
  })
  .describe('Savepoints that were asked for by nonce or taken for an upgrade.')

const checkpointInfo = z
  .object({
    lastCheckpoint: z
      .object({
        id: whole('Its number.').optional(),
        location: anyText('Where it lies.').optional(),
        timeStamp: whole('When it was complete, in milliseconds since 1970.').optional(),
        time: moment('When it was complete.').optional(),
        triggerNonce: nonce('The nonce that asked for it.').optional(),
        triggerType: triggerType.optional(),
        error: anyText('Why there is none.').optional(),
      })
      .describe('The newest checkpoint that is complete.')
      .optional(),
    triggerId: anyText('The checkpoint that is being taken by nonce; empty when there is none.').optional(),
    triggerTimestamp: whole('When it was asked for, in milliseconds since 1970.').optional(),
    triggerNonce: nonce('The nonce that asked for it.').optional(),
    triggerType: triggerType.optional(),
  })
  .describe('Checkpoints of the job.')

const jobStatus = z
  .object({
    state: z
      .enum(JOB_STATES)
      .describe('State of the job, as its JobManager tells it; RECONCILING when it cannot be asked.')
      .optional(),
    jobId: anyText('Its id.').optional(),
    jobName: anyText('Its name.').optional(),
    startTime: anyText('When it began, in milliseconds since 1970.').optional(),
    updateTime: anyText('When its state was last another, in milliseconds since 1970.').optional(),
    parallelism: whole('The parallelism that it runs with.', { min: 0 }).optional(),
    restarts: whole('How often it was restarted.', { min: 0 }).optional(),
    exception: anyText('What failed last.').optional(),
    upgradeSavepointPath: anyText('What the next start of the job begins with.').optional(),
    savepointInfo: savepointInfo.optional(),
    checkpointInfo: checkpointInfo.optional(),
  })
  .describe('The job.')

export const streamDeploymentStatus = z
  .object({
    observedGeneration: whole('The generation of the spec that this status is about.', { min: 0 }).optional(),
    conditions: listMap(
      condition,
      'type',
      32,
      'What is so: `kubectl wait --for=condition=Ready sd/NAME` waits for one.',
    ).optional(),
    lifecycleState: z.enum(LIFECYCLE_STATES).describe('Where the deployment is in its life, in one word.').optional(),
    jobStatus: jobStatus.optional(),
    jobManagerDeploymentStatus: z
      .enum(['MISSING', 'DEPLOYING', 'DEPLOYED_NOT_READY', 'READY', 'ERROR'])
      .describe('State of the JobManager’s Deployment.')
      .optional(),
    taskManager: z
      .object({
        replicas: whole('TaskManagers that there are.', { min: 0 }).optional(),
        readyReplicas: whole('TaskManagers that are ready.', { min: 0 }).optional(),
        labelSelector: anyText('Selects their pods.').optional(),
      })
      .describe('TaskManagers.')
      .optional(),
    clusterInfo: z.record(z.string(), z.string()).describe('Of the cluster: version, processor and memory.').optional(),
    error: anyText('What went wrong last; empty when nothing is wrong.').optional(),
    reconciliation: kept(
      'What the operator has decided and is about to do, written before it does it. For the operator alone: what is in it may change with each version.',
    ).optional(),
  })
  .describe('What is.')

export type StreamDeploymentStatus = z.output<typeof streamDeploymentStatus>
export type Condition = z.output<typeof condition>
export type JobStatus = z.output<typeof jobStatus>
export type ConditionType = (typeof CONDITION_TYPES)[number]
