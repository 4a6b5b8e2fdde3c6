/**
 * The schema of a StreamDeployment's status: what the operator has seen, and what it is in the middle of.
 *
 * It is a log as much as a report: what a step is about to do is written here before it does it, so that an operator that comes after finds its place. Names are those of Flink's operator where the thing is the same.
 */
import { z } from 'zod'
import { listMap, moment, nonce, text, texts, whole } from './schema-words.ts'

const PATH = 4096
const NOTE = 32768

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
    type: text(
      316,
      'What it is about: Ready, Progressing, Stalled, ConfigValid, JobManagerAvailable, TaskManagersAvailable, CheckpointHealthy, SnapshotSucceeded or Succeeded.',
    ),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it is so.'),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe('Why, in one word that programs may read.'),
    message: text(NOTE, 'Why, for people.'),
    lastTransitionTime: moment('Since when `status` is what it is.'),
    observedGeneration: whole('The generation of the spec that it is about.', { min: 0 }).optional(),
  })
  .describe('Something that is so, is not so, or is not known.')

const triggerType = z.enum(['MANUAL', 'PERIODIC', 'UPGRADE', 'UNKNOWN']).describe('Who asked for it.')

const savepoint = z
  .object({
    location: text(PATH, 'Where it lies.').optional(),
    timeStamp: whole('When it was complete, in milliseconds since 1970.').optional(),
    triggerNonce: nonce('The nonce that asked for it.').optional(),
    triggerType: triggerType.optional(),
    formatType: z.enum(['CANONICAL', 'NATIVE', 'UNKNOWN']).describe('Its format.').optional(),
    error: text(NOTE, 'Why there is none.').optional(),
  })
  .describe('A savepoint, or one that failed.')

const savepointInfo = z
  .object({
    lastSavepoint: savepoint.optional(),
    triggerId: text(64, 'The savepoint that is being taken; empty when there is none.').optional(),
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
        location: text(PATH, 'Where it lies.').optional(),
        timeStamp: whole('When it was complete, in milliseconds since 1970.').optional(),
        time: moment('When it was complete.').optional(),
        triggerNonce: nonce('The nonce that asked for it.').optional(),
        triggerType: triggerType.optional(),
        error: text(NOTE, 'Why there is none.').optional(),
      })
      .describe('The newest checkpoint that is complete.')
      .optional(),
    triggerId: text(64, 'The checkpoint that is being taken by nonce; empty when there is none.').optional(),
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
    jobId: text(64, 'Its id.').optional(),
    jobName: text(1024, 'Its name.').optional(),
    startTime: text(32, 'When it began, in milliseconds since 1970.').optional(),
    updateTime: text(32, 'When its state was last another, in milliseconds since 1970.').optional(),
    parallelism: whole('The parallelism that it runs with.', { min: 0 }).optional(),
    restarts: whole('How often it was restarted.', { min: 0 }).optional(),
    exception: text(NOTE, 'What failed last.').optional(),
    upgradeSavepointPath: text(PATH, 'What the next start of the job begins with.').optional(),
    savepointInfo: savepointInfo.optional(),
    checkpointInfo: checkpointInfo.optional(),
  })
  .describe('The job.')

const scale = z
  .object({
    taskManagers: whole('TaskManagers that are wanted.', { min: 0 }),
    slots: whole('Slots of each; stays as it is once it is decided, unless the configuration says another number.', {
      min: 1,
    }),
    parallelism: whole('The parallelism that is wanted; 0 for a session cluster.', { min: 0 }),
    by: z.enum(['parallelism', 'replicas']).describe('Which of the two the spec has changed last.'),
    ofReplicas: whole('`taskManager.replicas` when this was decided.', { min: 0 }),
    ofParallelism: whole('`job.parallelism` when this was decided.', { min: 0 }).optional(),
  })
  .describe('How wide the job is to be, from replicas, parallelism and slots.')

const reconciliationStatus = z
  .object({
    state: z
      .enum(['DEPLOYED', 'UPGRADING', 'ROLLING_BACK', 'ROLLED_BACK'])
      .describe('Whether the pods are as the spec wants them, or on the way there.')
      .optional(),
    reconciliationTimestamp: whole('When this was last written, in milliseconds since 1970.').optional(),
    generation: whole('The generation of the spec that the pods are of, or are to be of.', { min: 0 }).optional(),
    step: text(64, 'What the operator is in the middle of.').optional(),
    stepTime: moment('Since when.').optional(),
    revision: text(253, 'The ControllerRevision that has the spec which runs.').optional(),
    stableRevision: text(253, 'The ControllerRevision that has the last spec which was seen to work.').optional(),
    restartGeneration: whole(
      'How often the job was begun: the number that pods, Lease and directive of one start share.',
      { min: 0 },
    ).optional(),
    restore: z
      .object({
        from: text(PATH, '`latest`, `empty`, or the path of a savepoint or checkpoint.'),
        atLeast: whole('The checkpoint with the lowest number that will do.').optional(),
        neverEmpty: z.boolean().describe('Beginning without state is refused.').optional(),
      })
      .describe('What the job begins with.')
      .optional(),
    handledNonces: z
      .record(z.string(), z.int())
      .meta({ description: 'Nonces that were acted on, by field.', maxProperties: 16 })
      .optional(),
  })
  .describe('What the operator has done and is about to do; for the operator alone.')

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
        labelSelector: text(1024, 'Selects their pods.').optional(),
      })
      .describe('TaskManagers.')
      .optional(),
    scale: scale.optional(),
    clusterInfo: texts(4096, 64, 'Of the cluster: version, processor and memory.').optional(),
    error: text(NOTE, 'What went wrong last; empty when nothing is wrong.').optional(),
    reconciliationStatus: reconciliationStatus.optional(),
  })
  .describe('What is.')

export type StreamDeploymentStatus = z.output<typeof streamDeploymentStatus>
export type Condition = z.output<typeof condition>
export type JobStatus = z.output<typeof jobStatus>
export type ConditionType = (typeof CONDITION_TYPES)[number]
