/**
 * Turns the spec of a StreamDeployment into a {@link DeploymentSpec}: aliases resolved, defaults filled in, configuration flat, templates merged. Pure.
 *
 * What had to be interpreted or has no effect is said as a warning and never dropped silently; what cannot be understood is a problem. `validate` (validate.ts) judges the result, and `readSpec` does both.
 */
import { AVAILABILITY, SCHEDULER } from '../../runtime/config/options/availability.ts'
import { JOB } from '../../runtime/config/options/job.ts'
import { JOB_MANAGER, SLOTS } from '../../runtime/config/options/processes.ts'
import { REST } from '../../runtime/config/options/rest.ts'
import { normalizeComponent } from './component.ts'
import { checkConfiguration, flatten, OPERATOR_PREFIXES, take } from './configuration.ts'
import type { DeploymentSpec, JobSpec } from './deployment-spec.ts'
import { type Message, pathOf } from './messages.ts'
import { streamDeploymentSpec } from './spec.ts'
import { validate } from './validate.ts'

export interface NormalizeOptions {
  /** Of pods whose spec names none. */
  image: string
  /** What the operator was given for all deployments; a spec's own keys hold over it. */
  configuration?: Readonly<Record<string, string>>
}

export interface Normalized {
  /** undefined when the spec cannot be understood at all: there are problems then. */
  spec: DeploymentSpec | undefined
  /** All at once, in the order of the spec. */
  problems: Message[]
  warnings: Message[]
}

/**
 * @example
 * normalize({ flinkVersion: 'v1_20', job: { jarURI: 'local:///opt/tailrace/usrlib/job.js', parallelism: 8 } }, { image: 'tailrace:0.1.0' }).spec?.job?.artifact
 * // 'local:///opt/tailrace/usrlib/job.js'
 */
export function normalize(input: unknown, { image, configuration: defaults = {} }: NormalizeOptions): Normalized {
  const problems: Message[] = []
  const warnings: Message[] = []
  const parsed = streamDeploymentSpec.safeParse(input ?? {})
  if (input === undefined || input === null) problems.push({ path: 'spec', text: 'is missing: it says what is to run' })
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues)
      problems.push({ path: pathOf(['spec', ...path]), text: message })
  }
  if (!parsed.success || problems.length > 0) return { spec: undefined, problems, warnings }
  const given = parsed.data
  const warn = (path: string, text: string) => void warnings.push({ path, text })

  for (const [name, alias] of [
    ['version', 'flinkVersion'],
    ['configuration', 'flinkConfiguration'],
  ] as const) {
    if (given[name] !== undefined && given[alias] !== undefined)
      problems.push({ path: `spec.${alias}`, text: `is another name of ${name}, which is given too; one is wanted` })
  }
  const version = given.version ?? given.flinkVersion
  const isFlinks = version !== undefined && /^v\d+_\d+$/.test(version)
  if (isFlinks)
    warn(
      `spec.${given.version === undefined ? 'flinkVersion' : 'version'}`,
      `has no effect: ${version} is a version of Flink`,
    )
  if (given.mode !== undefined) warn('spec.mode', 'has no effect: the operator makes all pods')

  const name =
    given.configuration === undefined && given.flinkConfiguration !== undefined ? 'flinkConfiguration' : 'configuration'
  const at = ['spec', name]
  const own = flatten(given[name], at, problems)
  const checked = checkConfiguration(own, at)
  problems.push(...checked.problems)
  warnings.push(...checked.warnings)
  const { process: values, operator } = sorted({ ...defaults, ...own })
  const slots = take(values, SLOTS.perTaskManager)?.text
  const parallelism = take(values, JOB.parallelism)?.text
  takeOwned(values, own, at, warn)
  const read = { values, configurationPath: at, problems, warn }
  const jobManager = normalizeComponent('jobManager', given.jobManager, given.podTemplate, read)
  const taskManager = normalizeComponent('taskManager', given.taskManager, given.podTemplate, read)
  for (const file of Object.keys(given.logConfiguration ?? {})) {
    if (/\.(properties|xml)$/.test(file))
      warn(
        pathOf(['spec', 'logConfiguration', file]),
        'has no effect: it is put into the pods, where nobody reads settings of Java’s loggers',
      )
  }
  const job = given.job === undefined ? undefined : normalizeJob(given.job, wholeNumber(parallelism), problems, warn)
  const spec: DeploymentSpec = {
    image: given.image ?? image,
    imagePullPolicy: given.imagePullPolicy,
    version: isFlinks ? undefined : version,
    configuration: values,
    operatorConfiguration: operator,
    serviceAccount: given.serviceAccount,
    logConfiguration: given.logConfiguration ?? {},
    ingress: given.ingress && {
      template: given.ingress.template,
      className: given.ingress.className,
      annotations: given.ingress.annotations ?? {},
      labels: given.ingress.labels ?? {},
      tls: given.ingress.tls ?? [],
    },
    jobManager,
    taskManager: { ...taskManager, slots: wholeNumber(slots) },
    job,
    reactive: values[SCHEDULER.mode.key]?.trim().toLowerCase() === 'reactive',
    restartNonce: given.restartNonce,
  }
  return { spec, problems, warnings }
}

/** {@link normalize} and {@link validate}: all that is wrong with a spec, at once. */
export function readSpec(input: unknown, options: NormalizeOptions): Normalized {
  const normalized = normalize(input, options)
  if (normalized.spec === undefined) return normalized
  return { ...normalized, problems: [...normalized.problems, ...validate(normalized.spec)] }
}

function normalizeJob(
  given: NonNullable<ReturnType<typeof streamDeploymentSpec.parse>['job']>,
  defaultParallelism: number | undefined,
  problems: Message[],
  warn: (path: string, text: string) => void,
): JobSpec {
  const both = (alias: string, name: string) =>
    problems.push({ path: `spec.job.${alias}`, text: `is another name of ${name}, which is given too; one is wanted` })
  const { artifact, jarURI, entry, entryClass } = given
  if (artifact !== undefined && jarURI !== undefined) both('jarURI', 'artifact')
  if (entry !== undefined && entryClass !== undefined) both('entryClass', 'entry')
  const isJava = entry === undefined && entryClass !== undefined && isJavaClass(entryClass)
  if (isJava)
    warn(
      'spec.job.entryClass',
      `has no effect: ${entryClass} is the name of a Java class; a module of the artifact is wanted, or nothing`,
    )
  return {
    artifact: artifact ?? jarURI,
    entry: entry ?? (isJava ? undefined : entryClass),
    sql: given.sql,
    args: given.args ?? [],
    parallelism: given.parallelism ?? defaultParallelism,
    state: given.state,
    upgradeMode: given.upgradeMode,
    savepointTriggerNonce: given.savepointTriggerNonce,
    checkpointTriggerNonce: given.checkpointTriggerNonce,
    savepointRedeployNonce: given.savepointRedeployNonce,
    initialSavepointPath: given.initialSavepointPath,
    allowNonRestoredState: given.allowNonRestoredState,
  }
}

/** `com.example.FraudDetectionJob`, and not `src/job.ts` or `job.mjs`. */
function isJavaClass(entry: string): boolean {
  return /^([a-z_][\w]*\.)+[A-Z]\w*(\$\w+)*$/.test(entry)
}

function sorted(values: Record<string, string>): { process: Record<string, string>; operator: Record<string, string> } {
  const process: Record<string, string> = {}
  const operator: Record<string, string> = {}
  for (const key of Object.keys(values).sort()) {
    const isOperators = OPERATOR_PREFIXES.some((prefix) => key.startsWith(prefix))
    ;(isOperators ? operator : process)[key] = values[key]!
  }
  return { process, operator }
}

/** Keys whose values the operator sets, and what stands instead of them. */
const OWNED: readonly { key: string; older: readonly string[]; as?: RegExp; instead: string }[] = [
  {
    key: AVAILABILITY.type.key,
    older: [...AVAILABILITY.type.older, 'ha.type'],
    as: /^(kubernetes|org\.apache\.flink\.kubernetes\.highavailability\.KubernetesHaServicesFactory)$/i,
    instead: 'a Lease of Kubernetes elects the JobManager that leads',
  },
  {
    key: AVAILABILITY.clusterId.key,
    older: [...AVAILABILITY.clusterId.older, 'kubernetes.cluster-id'],
    instead: 'it is the name of the StreamDeployment',
  },
  { key: 'kubernetes.namespace', older: [], instead: 'it is that of the StreamDeployment' },
  { key: JOB.deploymentId.key, older: JOB.deploymentId.older, instead: 'it is the uid of the StreamDeployment' },
  {
    key: JOB_MANAGER.address.key,
    older: JOB_MANAGER.address.older,
    instead: 'TaskManagers find the JobManager by its Lease',
  },
  { key: JOB_MANAGER.port.key, older: JOB_MANAGER.port.older, as: /^6123$/, instead: 'it is 6123' },
  { key: REST.port.key, older: REST.port.older, as: /^8081$/, instead: 'it is 8081, which services and probes name' },
]

function takeOwned(
  values: Record<string, string>,
  own: Readonly<Record<string, string>>,
  at: readonly PropertyKey[],
  warn: (path: string, text: string) => void,
): void {
  for (const { key, older, as, instead } of OWNED) {
    for (const name of [key, ...older]) {
      const text = values[name]?.trim()
      delete values[name]
      if (text === undefined || text === '' || as?.test(text) || !(name in own)) continue
      warn(pathOf([...at, name]), `has no effect: ${instead}`)
    }
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  const number = Number(text)
  return text !== undefined && Number.isInteger(number) && number > 0 ? number : undefined
}
