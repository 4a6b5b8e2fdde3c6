/**
 * What a StreamDeployment asks for, in one form: aliases resolved, defaults filled in, configuration flat, pod templates merged. Plain data that JSON holds, so that two can be compared.
 *
 * Made by `normalize`; everything behind it reads this and never the resource's own spec.
 */

/** A pod template as the API knows it: what is typed in the schema and whatever else it has. */
export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: PodSpec
}

export interface PodSpec {
  containers: Container[]
  initContainers?: Container[]
  volumes?: ({ name: string } & Record<string, unknown>)[]
  [field: string]: unknown
}

export interface Container {
  name: string
  env?: ({ name: string; value?: string } & Record<string, unknown>)[]
  volumeMounts?: ({ name: string; mountPath: string } & Record<string, unknown>)[]
  resources?: Partial<Resources>
  [field: string]: unknown
}

/** Quantities of Kubernetes by the resource's name: `cpu`, `memory`, `ephemeral-storage`, … */
export interface Resources {
  requests: Record<string, string>
  limits: Record<string, string>
}

/** JobManagers, or TaskManagers. */
export interface ComponentSpec {
  replicas: number
  /** Of the container `tailrace`; cpu and memory are always there. */
  resources: Resources
  /** What a process may use, whole: its limit, else its request. */
  memoryBytes: number
  /** The common template with the component's own merged over it; its container `tailrace` is there, if only with its name. */
  podTemplate: PodTemplate
}

export interface JobSpec {
  /** `local:///opt/tailrace/usrlib/job.js`, `https://…`, `s3://…`; undefined with `sql`. */
  artifact: string | undefined
  /** A module in the artifact. */
  entry: string | undefined
  sql: string | undefined
  args: string[]
  /** As the spec says; what it comes to with replicas and slots is `decideScale`'s. */
  parallelism: number | undefined
  state: 'running' | 'suspended'
  upgradeMode: 'stateless' | 'savepoint' | 'last-state'
  savepointTriggerNonce: number | undefined
  checkpointTriggerNonce: number | undefined
  savepointRedeployNonce: number | undefined
  initialSavepointPath: string | undefined
  allowNonRestoredState: boolean
}

export interface IngressSpec {
  template: string
  className: string | undefined
  annotations: Record<string, string>
  labels: Record<string, string>
  tls: { hosts?: string[]; secretName?: string }[]
}

export interface DeploymentSpec {
  image: string
  imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never' | undefined
  /** Of Tailrace; undefined when the spec names none, or one of Flink's. */
  version: string | undefined
  /** Of the processes: flat, as texts, in the spelling of the spec; without the keys that the operator sets and those that say slots or parallelism. */
  configuration: Record<string, string>
  /** What the configuration says to the operator: keys of `kubernetes.operator.` and `tailrace.operator.`, with their prefix. A change of them restarts nothing. */
  operatorConfiguration: Record<string, string>
  /** One that exists; undefined: the operator makes one. */
  serviceAccount: string | undefined
  /** File name to content. */
  logConfiguration: Record<string, string>
  ingress: IngressSpec | undefined
  jobManager: ComponentSpec
  taskManager: ComponentSpec & {
    /** Slots of each, when the configuration says so. */
    slots: number | undefined
  }
  /** undefined: a session cluster. */
  job: JobSpec | undefined
  /** `scheduler-mode: reactive`: the parallelism follows the replicas alone. */
  reactive: boolean
  restartNonce: number | undefined
}
