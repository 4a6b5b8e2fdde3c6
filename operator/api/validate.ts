/**
 * Judges a {@link DeploymentSpec} by what its schema and CEL rules cannot say, because it lies in configuration keys, quantities or templates. Pure; all messages at once.
 */

import { namesOf, type Option } from '../../runtime/config/option.ts'
import { CHECKPOINTING } from '../../runtime/config/options/checkpointing.ts'
import { JOB } from '../../runtime/config/options/job.ts'
import type { ComponentSpec, DeploymentSpec } from './deployment-spec.ts'
import { type Message, pathOf } from './messages.ts'
import { quantity } from './quantity.ts'
import { PARALLELISM_MAX } from './spec.ts'

/** Smaller, and a process ends before it has begun. */
const MEMORY_BYTES_MIN = 128 * 2 ** 20

/**
 * @example
 * validate(spec).map(lineOf) // ['spec.job.upgradeMode: savepoint needs a place for savepoints: …']
 */
export function validate(spec: DeploymentSpec): Message[] {
  return [
    ...resourcesOf('jobManager', spec.jobManager),
    ...resourcesOf('taskManager', spec.taskManager),
    ...stateOf(spec),
    ...jobOf(spec),
    ...filesOf(spec),
  ]
}

function resourcesOf(name: 'jobManager' | 'taskManager', { resources, memoryBytes }: ComponentSpec): Message[] {
  const messages: Message[] = []
  const say = (parts: PropertyKey[], text: string) => messages.push({ path: pathOf(['spec', name, ...parts]), text })
  for (const kind of ['requests', 'limits'] as const) {
    for (const [key, text] of Object.entries(resources[kind])) {
      const amount = quantity(text)
      if (amount === undefined) say(['resources', kind, key], `"${text}" is no quantity such as 500m or 2Gi`)
      else if (amount < 0 || (amount === 0 && (key === 'cpu' || key === 'memory')))
        say(['resources', kind, key], `is ${text}, more than 0 is wanted`)
    }
  }
  for (const [key, text] of Object.entries(resources.requests)) {
    const [request, limit] = [quantity(text), quantity(resources.limits[key] ?? '')]
    if (request !== undefined && limit !== undefined && request > limit)
      say(['resources', 'requests', key], `is ${text}, more than its limit of ${resources.limits[key]}`)
  }
  if (memoryBytes > 0 && memoryBytes < MEMORY_BYTES_MIN)
    say(['resource', 'memory'], `comes to ${memoryBytes} bytes; 128Mi is the least that a process starts with`)
  return messages
}

/** Modes and nonces that need somewhere to keep state. */
function stateOf({ job, configuration }: DeploymentSpec): Message[] {
  if (job === undefined) return []
  const messages: Message[] = []
  const has = (option: Option<unknown>) => namesOf(option).some((name) => (configuration[name] ?? '').trim() !== '')
  const checkpoints = has(CHECKPOINTING.directory)
  const savepoints = has(CHECKPOINTING.savepointDirectory)
  const need = (field: string, what: string, option: Option<unknown>) =>
    messages.push({
      path: `spec.job.${field}`,
      text: `${what}: set ${option.key} in spec.configuration`,
    })
  if (job.upgradeMode !== 'stateless' && !checkpoints)
    need('upgradeMode', `${job.upgradeMode} needs a place for checkpoints`, CHECKPOINTING.directory)
  if (job.upgradeMode === 'savepoint' && !savepoints)
    need('upgradeMode', 'savepoint needs a place for savepoints', CHECKPOINTING.savepointDirectory)
  // 0 and unset are what manifests begin with; they ask for nothing yet.
  if (job.savepointTriggerNonce && !savepoints)
    need('savepointTriggerNonce', 'a savepoint needs a place to lie', CHECKPOINTING.savepointDirectory)
  if (job.checkpointTriggerNonce && !checkpoints)
    need('checkpointTriggerNonce', 'a checkpoint needs a place to lie', CHECKPOINTING.directory)
  if (job.savepointRedeployNonce !== undefined && job.initialSavepointPath === undefined)
    messages.push({
      path: 'spec.job.savepointRedeployNonce',
      text: 'needs initialSavepointPath, which it begins from',
    })
  return messages
}

function jobOf({ job, taskManager, configuration }: DeploymentSpec): Message[] {
  if (job === undefined) return []
  const messages: Message[] = []
  const say = (field: string, text: string) => messages.push({ path: `spec.job.${field}`, text })
  const given = [job.artifact, job.sql].filter((one) => one !== undefined).length
  if (given !== 1)
    say('artifact', `${given === 0 ? 'is missing' : 'and sql are given'}; exactly one of artifact and sql is wanted`)
  if (job.sql !== undefined)
    say('sql', 'is not understood by this version of Tailrace, which has no SQL yet; an artifact is wanted')
  if (job.artifact !== undefined && !/^(local|file|https?|s3):\/\//.test(job.artifact))
    say('artifact', `is "${job.artifact}"; a URI of the scheme local, file, https, http or s3 is wanted`)
  if (/\.jar$/i.test(job.artifact ?? ''))
    say(
      'artifact',
      `is the Java archive "${job.artifact}"; a module, a .ts file or a package of tailrace build is wanted`,
    )
  const max = Number(configuration[JOB.maxParallelism.key] ?? configuration[JOB.maxParallelism.older[0] ?? ''])
  const parallelism = job.parallelism ?? taskManager.replicas * (taskManager.slots ?? 1)
  if (parallelism > PARALLELISM_MAX)
    say('parallelism', `comes to ${parallelism} by replicas and slots; ${PARALLELISM_MAX} is the most`)
  if (max >= 1 && parallelism > max)
    say('parallelism', `is ${parallelism}, more than ${JOB.maxParallelism.key}, which is ${max}`)
  return messages
}

/** Names of files beside the configuration. */
function filesOf({ logConfiguration }: DeploymentSpec): Message[] {
  return Object.keys(logConfiguration).flatMap((name) => {
    const path = pathOf(['spec', 'logConfiguration', name])
    if (!/^[-._a-zA-Z0-9]{1,253}$/.test(name) || /^\.+$/.test(name))
      return [{ path, text: 'must be the name of a file: letters, digits, dots, dashes and underscores' }]
    if (name === 'config.yaml' || name === 'flink-conf.yaml')
      return [{ path, text: 'is the file of spec.configuration; give its keys there' }]
    return []
  })
}
