/**
 * What Flink's operator has in its resources and ours does not, with the reason. docs/kubernetes/streamdeployment.md shows it, and the conformance runner holds it to Flink's definitions, in both directions.
 */

export interface LeftOut {
  /** The kind in Flink's operator. */
  kind: string
  /** Properties; none stands for the whole kind. */
  paths: readonly string[]
  why: string
}

export const LEFT_OUT: readonly LeftOut[] = [
  {
    kind: 'FlinkDeployment',
    paths: ['spec.job.autoscalerResetNonce'],
    why: 'There is no autoscaler in the operator yet; one from outside writes `taskManager.replicas` through the scale subresource.',
  },
  {
    kind: 'FlinkDeployment',
    paths: ['status.jobStatus.checkpointInfo.formatType', 'status.jobStatus.checkpointInfo.lastCheckpoint.formatType'],
    why: 'A checkpoint has one format.',
  },
  {
    kind: 'FlinkDeployment',
    paths: [
      'status.jobStatus.checkpointInfo.lastPeriodicCheckpointTimestamp',
      'status.jobStatus.savepointInfo.lastPeriodicSavepointTimestamp',
    ],
    why: 'The operator takes no snapshots by the clock: the job takes checkpoints by itself, and a CronJob can raise a nonce.',
  },
  {
    kind: 'FlinkDeployment',
    paths: ['status.jobStatus.savepointInfo.savepointHistory'],
    why: 'Flink’s has given it up for resources of their own. Events tell of each savepoint, and savepoints stay where they are.',
  },
  {
    kind: 'FlinkDeployment',
    paths: ['status.reconciliationStatus'],
    why: 'What the operator keeps for itself is in `status.reconciliation`, and specs that ran are in ControllerRevisions.',
  },
  {
    kind: 'FlinkSessionJob',
    paths: [],
    why: 'Jobs of a session cluster are submitted by REST or `tailrace run -m`; a resource for them is still to come.',
  },
  {
    kind: 'FlinkStateSnapshot',
    paths: [],
    why: 'Savepoints are asked for by nonce; a resource for each is still to come.',
  },
  {
    kind: 'FlinkBlueGreenDeployment',
    paths: [],
    why: 'Two copies of a job write results twice while both run. An upgrade here stops for less than it would save.',
  },
]

/** Where a field is held to more than Flink's operator holds it to; its manifests pass all the same. */
export const NARROWER: Readonly<Record<string, string>> = {
  'spec.imagePullPolicy': 'Kubernetes takes three words only, and refuses pods with another.',
  'status.conditions[].status': 'Kubernetes’ own three.',
}
