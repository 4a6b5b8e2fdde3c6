/** Facts of deployments in different states, for tables of decisions. */
import type { DeploymentSpec } from '../../api/deployment-spec.ts'
import { decideScale } from '../../api/scale.ts'
import { exampleSpec, FRAUD } from '../../resources/example.suite.ts'
import { shortHash } from '../../resources/hash.ts'
import type { ClusterView, Facts, JobView, KnownSpec } from './facts.ts'
import { FIRST_RECORD, type Reconciliation } from './record.ts'

export const NOW = 1_800_000_000_000
export const JOB_ID = 'a'.repeat(32)

export function known(spec: DeploymentSpec): KnownSpec {
  return { spec, revision: `fraud-${shortHash(spec)}` }
}

export function facts(changes: Partial<Facts> = {}): Facts {
  return {
    identity: FRAUD,
    resourceGeneration: 1,
    createdMs: NOW - 3_600_000,
    hasFinalizer: true,
    wanted: known(exampleSpec()),
    warnings: [],
    record: FIRST_RECORD,
    pods: [],
    leftovers: [],
    operations: {},
    ...changes,
  }
}

export function job(changes: Partial<JobView> = {}): JobView {
  return {
    id: JOB_ID,
    name: 'fraud',
    state: 'RUNNING',
    startTime: NOW - 600_000,
    parallelism: 12,
    restarts: 0,
    latestCheckpoint: { id: 41, path: 's3://bucket/checkpoints/chk-41', time: NOW - 30_000 },
    ...changes,
  }
}

export function cluster(changes: Partial<ClusterView> = {}, jobs: JobView[] = [job()]): ClusterView {
  const byTaskManager = [0, 1, 2].map((at) => ({ id: `fraud-taskmanager-${at}`, total: 4, free: 0 }))
  return { generation: 3, jobs, slots: { total: 12, free: 0, byTaskManager }, ...changes }
}

/** Of a job of generation 3 that has run. */
export function ran(spec: DeploymentSpec = exampleSpec(), changes: Partial<Reconciliation> = {}): Reconciliation {
  const { job: wish, taskManager, reactive } = spec
  return {
    step: 'DEPLOYED',
    generation: 3,
    revision: known(spec).revision,
    scale: decideScale({
      replicas: taskManager.replicas,
      parallelism: wish?.parallelism,
      slots: taskManager.slots,
      reactive,
      session: wish === undefined,
    }),
    restore: { generation: 3, from: 's3://bucket/savepoints/savepoint-0', neverEmpty: true },
    begun: true,
    nonces: { savepoint: 0 },
    pending: {},
    checkpoint: { id: 41, path: 's3://bucket/checkpoints/chk-41', timeMs: NOW - 30_000 },
    ...changes,
  }
}

/** A deployment that runs `spec`, of which `wanted` is wanted now. */
export function running(wanted: DeploymentSpec, changes: Partial<Facts> = {}, spec = exampleSpec()): Facts {
  return facts({
    resourceGeneration: 4,
    wanted: known(wanted),
    kept: known(spec),
    record: ran(spec),
    cluster: cluster(),
    jobManager: { replicas: 1, ready: 1, settled: true },
    taskManager: { replicas: 3, ready: 3, settled: true },
    ...changes,
  })
}
