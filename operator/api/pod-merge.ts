/**
 * Lays one pod template over another: objects field by field, lists of named things by their names, everything else as the upper one has it.
 *
 * The names of lists are those by which Kubernetes itself merges them; a list that has none (`args`, `tolerations`) is one value.
 */
import type { Container, PodTemplate } from './deployment-spec.ts'

/** The container that runs Tailrace. */
export const MAIN_CONTAINER = 'tailrace'
/** What Flink calls it. */
export const FLINK_MAIN_CONTAINER = 'flink-main-container'

const KEYS: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  imagePullSecrets: 'name',
  env: 'name',
  claims: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
}

type Fields = Record<string, unknown>

/**
 * A template with the upper one over it; neither is changed. The container `flink-main-container` becomes `tailrace`, which comes first and is always there.
 *
 * @example
 * mergePodTemplates({ spec: { nodeSelector: { disk: 'ssd' } } }, undefined)
 * // { spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'tailrace' }] } }
 */
export function mergePodTemplates(lower: Fields | undefined, upper: Fields | undefined): PodTemplate {
  const merged = merge(renamed(lower), renamed(upper)) as { metadata?: Fields; spec?: Fields }
  const { labels, annotations } = merged.metadata ?? {}
  const containers = (merged.spec?.containers ?? []) as Container[]
  const main = containers.find(({ name }) => name === MAIN_CONTAINER) ?? { name: MAIN_CONTAINER }
  const metadata = { ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) }
  return {
    ...(Object.keys(metadata).length > 0 ? { metadata: metadata as PodTemplate['metadata'] & object } : {}),
    spec: { ...merged.spec, containers: [main, ...containers.filter((one) => one !== main)] },
  }
}

function renamed(template: Fields | undefined): Fields {
  const spec = template?.spec as Fields | undefined
  const containers = spec?.containers as Container[] | undefined
  if (containers === undefined) return template ?? {}
  const names = containers.map((one) => (one.name === FLINK_MAIN_CONTAINER ? { ...one, name: MAIN_CONTAINER } : one))
  return { ...template, spec: { ...spec, containers: names } }
}

function merge(lower: unknown, upper: unknown, field = ''): unknown {
  if (upper === undefined) return lower
  if (isFields(lower) && isFields(upper)) {
    const out: Fields = { ...lower }
    for (const [name, value] of Object.entries(upper)) {
      if (value === null) delete out[name]
      else out[name] = merge(out[name], value, name)
    }
    return out
  }
  const key = KEYS[field]
  if (key === undefined || !Array.isArray(lower) || !Array.isArray(upper)) return upper
  const out = [...lower] as Fields[]
  for (const item of upper as Fields[]) {
    const at = out.findIndex((one) => one[key] === item[key])
    if (at < 0) out.push(item)
    else if (ONE_KIND.has(field) && kindsOf(out[at]!) !== kindsOf(item)) out[at] = item
    else out[at] = merge(out[at], item) as Fields
  }
  return out
}

/** Lists whose items are of one kind each, which a field says: two kinds together mean nothing, so another kind replaces. */
const ONE_KIND = new Set(['env', 'volumes'])

function kindsOf(item: Fields): string {
  return Object.keys(item)
    .filter((field) => field !== 'name')
    .sort()
    .join()
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
