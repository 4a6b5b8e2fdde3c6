/**
 * JobManagers or TaskManagers of a spec, in one form: requests and limits as Kubernetes has them, whichever way the spec says cores and memory, and the pod template with the component's own merged over the common one.
 */
import { JOB_MANAGER, TASK_MANAGER } from '../../runtime/config/options/processes.ts'
import { take } from './configuration.ts'
import type { ComponentSpec, Resources } from './deployment-spec.ts'
import { type Message, pathOf } from './messages.ts'
import { FLINK_MAIN_CONTAINER, MAIN_CONTAINER, mergePodTemplates } from './pod-merge.ts'
import { bytesQuantity, coresQuantity, flinkMemory, quantity } from './quantity.ts'

/** What a process gets when nobody says. */
export const DEFAULT_RESOURCES = {
  jobManager: { cores: 1, memoryBytes: 2 ** 30 },
  taskManager: { cores: 1, memoryBytes: 2 ** 31 },
} as const

export type ComponentName = keyof typeof DEFAULT_RESOURCES

interface GivenResources {
  requests?: Record<string, string | number> | undefined
  limits?: Record<string, string | number> | undefined
}

/** One of spec.jobManager and spec.taskManager, as its schema has it. */
export interface GivenComponent {
  replicas: number
  resource?: { cpu?: number; memory?: string; ephemeralStorage?: string } | undefined
  resources?: GivenResources | undefined
  podTemplate?: Record<string, unknown> | undefined
}

export interface ComponentContext {
  /** Flat configuration; keys that say memory or cores are taken out of it. */
  values: Record<string, string>
  configurationPath: readonly PropertyKey[]
  problems: Message[]
  warn(path: string, text: string): void
}

export function normalizeComponent(
  name: ComponentName,
  given: GivenComponent,
  common: Record<string, unknown> | undefined,
  context: ComponentContext,
): ComponentSpec {
  const at = ['spec', name]
  // The common one is judged once, not for each component.
  if (name === 'jobManager') judgeTemplate(common, ['spec', 'podTemplate'], context)
  judgeTemplate(given.podTemplate, [...at, 'podTemplate'], context)
  const podTemplate = mergePodTemplates(common, given.podTemplate)
  const [main, ...others] = podTemplate.spec.containers
  const { resources: ofTemplate, ...container } = main!
  if (given.resource !== undefined && given.resources !== undefined)
    context.problems.push({ path: pathOf([...at, 'resource']), text: 'is given and so is resources; one is wanted' })
  const requests = { ...read(ofTemplate?.requests, undefined, context) }
  const limits = { ...read(ofTemplate?.limits, undefined, context) }
  Object.assign(requests, read(given.resources?.requests, [...at, 'resources', 'requests'], context))
  Object.assign(limits, read(given.resources?.limits, [...at, 'resources', 'limits'], context))
  for (const [key, text] of Object.entries(fromFlink(name, given, context))) requests[key] = limits[key] = text
  const standard = DEFAULT_RESOURCES[name]
  const memory = bytesQuantity(standard.memoryBytes)
  const cpu = coresQuantity(standard.cores)
  requests.memory ??= limits.memory ?? memory
  limits.memory ??= requests.memory
  requests.cpu ??= limits.cpu ?? cpu
  for (const what of ['cpu', 'memory']) {
    const factor = limitFactor(name, what, context)
    const said = quantity(requests[what])
    if (factor === undefined || said === undefined) continue
    limits[what] = what === 'cpu' ? coresQuantity(said * factor) : bytesQuantity(said * factor)
  }
  const resources: Resources = { requests, limits }
  return {
    replicas: given.replicas,
    resources,
    memoryBytes: quantity(limits.memory) ?? standard.memoryBytes,
    podTemplate: { ...podTemplate, spec: { ...podTemplate.spec, containers: [container, ...others] } },
  }
}

/** `resource`, else what the configuration says; each is request and limit. */
function fromFlink(
  name: ComponentName,
  { resource, resources }: GivenComponent,
  { values, configurationPath, problems, warn }: ComponentContext,
): Record<string, string> {
  const out: Record<string, string> = {}
  const flink = name === 'jobManager' ? 'jobmanager' : 'taskmanager'
  const option = name === 'jobManager' ? JOB_MANAGER.memory : TASK_MANAGER.memory
  const ofMemory = take(values, { key: option.key, older: [...option.older, ...option.fallback] })
  const ofCpu = take(values, { key: `kubernetes.${flink}.cpu.amount`, older: [`kubernetes.${flink}.cpu`] })
  const isSaid = (what: string) => resources?.requests?.[what] !== undefined || resources?.limits?.[what] !== undefined
  const put = (key: string, text: string, path: readonly PropertyKey[]) => {
    const bytes = flinkMemory(text)
    if (bytes === undefined)
      problems.push({ path: pathOf(path), text: `"${text}" is no size of memory such as 2048m or 2g` })
    else out[key] = bytesQuantity(bytes)
  }
  if (resource?.memory !== undefined) put('memory', resource.memory, ['spec', name, 'resource', 'memory'])
  else if (ofMemory !== undefined && !isSaid('memory'))
    put('memory', ofMemory.text, [...configurationPath, ofMemory.key])
  if (ofMemory !== undefined && (resource?.memory !== undefined || isSaid('memory')))
    warn(pathOf([...configurationPath, ofMemory.key]), `has no effect: spec.${name} says how much memory there is`)
  if (resource?.ephemeralStorage !== undefined)
    put('ephemeral-storage', resource.ephemeralStorage, ['spec', name, 'resource', 'ephemeralStorage'])
  if (resource?.cpu !== undefined) out.cpu = coresQuantity(resource.cpu)
  else if (ofCpu !== undefined && !isSaid('cpu')) {
    const cores = Number(ofCpu.text)
    if (cores > 0) out.cpu = coresQuantity(cores)
    else
      problems.push({ path: pathOf([...configurationPath, ofCpu.key]), text: `"${ofCpu.text}" is no number of cores` })
  }
  return out
}

/** Of limit and request, as the configuration says it. */
function limitFactor(
  name: ComponentName,
  what: string,
  { values, configurationPath, problems }: ComponentContext,
): number | undefined {
  const said = take(values, { key: `kubernetes.${name.toLowerCase()}.${what}.limit-factor`, older: [] })
  if (said === undefined) return
  const factor = Number(said.text)
  if (factor >= 1) return factor
  problems.push({ path: pathOf([...configurationPath, said.key]), text: `"${said.text}" is no number from 1 on` })
  return
}

/** Quantities as texts; undefined path: of the template, which is judged by Kubernetes. */
function read(
  given: Record<string, string | number> | undefined,
  at: readonly PropertyKey[] | undefined,
  { warn }: ComponentContext,
): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [key, value] of Object.entries(given ?? {})) {
    const text = String(value)
    // Thousandths of a byte are what Kubernetes understands, and nobody means.
    const isFlinks = key === 'memory' && at !== undefined && /^\d+m$/.test(text)
    out[key] = isFlinks ? `${text.slice(0, -1)}Mi` : text
    if (isFlinks) warn(pathOf([...at, key]), `is taken as ${out[key]}: ${text} would be thousandths of bytes`)
  }
  return out
}

/** Says what of a template nobody reads. */
function judgeTemplate(
  template: Record<string, unknown> | undefined,
  at: readonly PropertyKey[],
  { problems, warn }: ComponentContext,
): void {
  if (template === undefined) return
  for (const key of Object.keys(template)) {
    if (!['metadata', 'spec', 'apiVersion', 'kind'].includes(key))
      warn(pathOf([...at, key]), 'has no effect: a template has metadata and spec')
  }
  const containers = (template.spec as { containers?: { name: string }[] } | undefined)?.containers ?? []
  const names = containers.map(({ name }) => name)
  if (names.includes(MAIN_CONTAINER) && names.includes(FLINK_MAIN_CONTAINER))
    problems.push({
      path: pathOf([...at, 'spec', 'containers']),
      text: `has both ${MAIN_CONTAINER} and ${FLINK_MAIN_CONTAINER}, which are two names of one container`,
    })
}
