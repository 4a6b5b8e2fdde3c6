/**
 * What an edit of a spec asks of a job that runs: nothing, an object changed beside it, another parallelism, a start behind its state, or a start from elsewhere.
 *
 * What must hold: of NONE, HOT and RESCALE no pod template changes, so no pod is replaced. A field that is not in the table restarts: to be slow is better than to be wrong.
 */
import type { DeploymentSpec } from '../../api/deployment-spec.ts'
import type { KnownSpec } from './facts.ts'

/** From the least to the most. */
export const DIFF_CLASSES = ['NONE', 'HOT', 'RESCALE', 'RESTART', 'REDEPLOY'] as const
export type DiffClass = (typeof DIFF_CLASSES)[number]

export interface Difference {
  class: DiffClass
  /** Paths of the fields that make it so, those of the highest class only. */
  fields: string[]
}

/** Prefixes of paths; the first that fits holds. */
const TABLE: readonly (readonly [string, DiffClass])[] = [
  // Read when something else happens, or handled by themselves.
  ['job.state', 'NONE'],
  ['job.upgradeMode', 'NONE'],
  ['job.allowNonRestoredState', 'NONE'],
  ['job.initialSavepointPath', 'NONE'],
  ['job.savepointTriggerNonce', 'NONE'],
  ['job.checkpointTriggerNonce', 'NONE'],
  ['operatorConfiguration', 'NONE'],
  ['version', 'NONE'],
  ['logConfiguration', 'HOT'],
  ['ingress', 'HOT'],
  ['jobManager.replicas', 'HOT'],
  ['taskManager.replicas', 'RESCALE'],
  ['job.parallelism', 'RESCALE'],
  ['reactive', 'RESCALE'],
  ['job.savepointRedeployNonce', 'REDEPLOY'],
]

/** Asked for by a new value; taking the value away asks for nothing. */
const NONCES = new Set(['restartNonce', 'job.savepointRedeployNonce'])

/**
 * @example
 * diff(spec, { ...spec, image: 'fraud:2' }) // { class: 'RESTART', fields: ['image'] }
 */
export function diff(last: DeploymentSpec, wanted: DeploymentSpec): Difference {
  if ((last.job === undefined) !== (wanted.job === undefined)) return { class: 'REDEPLOY', fields: ['job'] }
  const found: [string, DiffClass][] = []
  compare(last, wanted, '', (path, value) => found.push([path, classOf(path, value)]))
  const highest = Math.max(0, ...found.map(([, one]) => DIFF_CLASSES.indexOf(one)))
  const kind = DIFF_CLASSES[highest]!
  return { class: kind, fields: found.flatMap(([path, one]) => (one === kind ? [path] : [])) }
}

/** What an edit asks for. That the operator's own defaults have become others is no edit: they hold from the next start on. */
export function differenceOf(last: KnownSpec, wanted: KnownSpec): Difference {
  return diff(last.today ?? last.spec, wanted.spec)
}

function classOf(path: string, value: unknown): DiffClass {
  if (NONCES.has(path) && value === undefined) return 'NONE'
  const row = TABLE.find(
    ([prefix]) => path === prefix || path.startsWith(`${prefix}.`) || path.startsWith(`${prefix}[`),
  )
  return row?.[1] ?? 'RESTART'
}

function compare(a: unknown, b: unknown, path: string, changed: (path: string, value: unknown) => void): void {
  if (Object.is(a, b)) return
  if (isMap(a) && isMap(b)) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)])
    for (const key of keys) compare(a[key], b[key], join(path, key), changed)
    return
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    for (const at of a.keys()) compare(a[at], b[at], `${path}[${at}]`, changed)
    return
  }
  changed(path, b)
}

function join(path: string, key: string): string {
  if (!/^[\w$-]+$/.test(key)) return `${path}["${key}"]`
  return path === '' ? key : `${path}.${key}`
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
