/** The deployment of the seeds, as normalize() gives it, for tests. */
import type { DeploymentSpec, JobSpec } from '../api/deployment-spec.ts'
import type { Identity } from './names.ts'

export const FRAUD: Identity = { name: 'fraud', namespace: 'jobs', uid: '0b1c6a2e-7d0a-4c55-9c80-3f2b7f3f6a01' }

type Changes = Partial<Omit<DeploymentSpec, 'job'>> & { job?: Partial<JobSpec> | undefined }

/**
 * @example
 * exampleSpec({ image: 'fraud:2', job: { upgradeMode: 'last-state' } })
 */
export function exampleSpec({ job, ...changes }: Changes = {}): DeploymentSpec {
  return {
    image: 'fraud:1',
    imagePullPolicy: undefined,
    version: undefined,
    configuration: {
      'execution.checkpointing.interval': '60000',
      'state.checkpoints.dir': 's3://bucket/checkpoints',
      'state.savepoints.dir': 's3://bucket/savepoints',
    },
    operatorConfiguration: {},
    serviceAccount: undefined,
    logConfiguration: {},
    ingress: undefined,
    jobManager: component({ cpu: '1', memory: '2048Mi' }, 2048),
    taskManager: { ...component({ cpu: '2', memory: '4096Mi' }, 4096), replicas: 3, slots: 4 },
    reactive: false,
    restartNonce: undefined,
    ...changes,
    job: {
      artifact: 'local:///opt/tailrace/usrlib/fraud.js',
      entry: undefined,
      sql: undefined,
      args: ['--kafka.bootstrap', 'kafka:9092'],
      parallelism: 12,
      state: 'running',
      upgradeMode: 'savepoint',
      savepointTriggerNonce: 0,
      checkpointTriggerNonce: undefined,
      savepointRedeployNonce: undefined,
      initialSavepointPath: undefined,
      allowNonRestoredState: false,
      ...job,
    },
  }
}

/** Without a job. */
export function sessionSpec(): DeploymentSpec {
  return { ...exampleSpec(), job: undefined }
}

function component(amounts: Record<string, string>, mebibytes: number): DeploymentSpec['jobManager'] {
  return {
    replicas: 1,
    resources: { requests: amounts, limits: amounts },
    memoryBytes: mebibytes * 2 ** 20,
    podTemplate: { spec: { containers: [{ name: 'tailrace' }] } },
  }
}
