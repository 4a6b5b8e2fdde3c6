/**
 * Lays one pod template over another: maps key by key, lists of named things by name, every other value and list as a whole.
 *
 * Flink's operator merges lists by position unless told otherwise, so that a side-car in front changes the main container; here position means nothing.
 */
import type { PodTemplate } from '../api/deployment-spec.ts'

/** What an element of a list is known by. Lists that are not here are replaced. */
const NAMED: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  ports: 'containerPort',
  imagePullSecrets: 'name',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
}

/** Lists that grow: what is above adds to what is below. */
const ADDED = new Set(['tolerations'])

/**
 * @example
 * mergeTemplates({ spec: { containers: [{ name: 'tailrace', image: 'a' }] } }, { spec: { containers: [{ name: 'tailrace', env: [] }] } })
 * // { spec: { containers: [{ name: 'tailrace', image: 'a', env: [] }] } }
 */
export function mergeTemplates(below: PodTemplate, above: PodTemplate): PodTemplate {
  return merge(below, above) as PodTemplate
}

function merge(below: any, above: any, field = ''): any {
  if (above === undefined) return below
  if (Array.isArray(below) && Array.isArray(above)) return mergeLists(below, above, field)
  if (!isMap(below) || !isMap(above)) return above
  const result: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above)) result[key] = merge(below[key], value, key)
  return result
}

function mergeLists(below: any[], above: any[], field: string): any[] {
  if (ADDED.has(field)) return [...below, ...above]
  const by = NAMED[field]
  if (by === undefined) return above
  const result = [...below]
  for (const item of above) {
    const at = item?.[by] === undefined ? -1 : result.findIndex((one) => one?.[by] === item[by])
    if (at < 0) result.push(item)
    else result[at] = field === 'env' ? item : merge(result[at], item)
  }
  return result
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
