/**
 * Which children of one deployment are still as they were applied: what somebody has edited since is applied again, and what nobody has touched is left alone.
 *
 * How: the answer to an apply is remembered as the API server gave it, with its defaults. A child that looks otherwise now was edited. After a start nothing is remembered: then a child that has
 * every field that is wanted is taken for what was applied. What must hold: an apply that changes nothing is not made twice, whatever the server makes of what it is sent; nothing of a status counts,
 * nor a field that is nobody's or others' business (`spec` of a Lease, labels that were added).
 */
import { quantity } from '../../api/quantity.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { shortHash } from '../../resources/hash.ts'
import { ANNOTATIONS } from '../../resources/names.ts'

interface Entry {
  uid: string | undefined
  /** Hash of what was sent. */
  sent: string | undefined
  /** Hash of what came of it. */
  content: string
  /** The newest version that was found to be so. */
  version: string | undefined
  /** The version that the apply was made over: as long as a cache shows it, it is behind. */
  over: string | undefined
}

/**
 * @example
 * if (is === undefined || !applied.isCurrent(is, child)) applied.remember(child, await client.apply(resource, child), is)
 */
export class AppliedChildren {
  readonly #entries = new Map<string, Entry>()

  isCurrent(is: KubeObject, wanted: KubeObject): boolean {
    const entry = this.#entries.get(keyOf(wanted))
    const { uid, resourceVersion } = is.metadata
    if (entry === undefined || entry.uid !== uid || entry.sent !== sentOf(wanted)) {
      if (!isWithin(wanted, is)) return false
      this.remember(wanted, is, undefined)
      return true
    }
    if (resourceVersion !== undefined && (resourceVersion === entry.version || resourceVersion === entry.over))
      return true
    if (contentOf(is, wanted) !== entry.content) return false
    entry.version = resourceVersion
    return true
  }

  /** @param over what was there before */
  remember(wanted: KubeObject, result: KubeObject, over: KubeObject | undefined): void {
    const { uid, resourceVersion } = result.metadata
    this.#entries.set(keyOf(wanted), {
      uid,
      sent: sentOf(wanted),
      content: contentOf(result, wanted),
      version: resourceVersion,
      over: over?.metadata.resourceVersion,
    })
  }

  /** It is not wanted any more. */
  forget(object: KubeObject): void {
    this.#entries.delete(keyOf(object))
  }
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`
}

function sentOf({ metadata }: KubeObject): string | undefined {
  return metadata.annotations?.[ANNOTATIONS.applied]
}

/** Of the fields that are wanted: whole, as somebody may have added to them. Of metadata only what was sent, as many write there. */
function contentOf(is: KubeObject, wanted: KubeObject): string {
  const { apiVersion: _a, kind: _k, status: _s, metadata, ...fields } = wanted
  const uids = new Set((metadata.ownerReferences ?? []).map(({ uid }) => uid))
  return shortHash([
    picked(is.metadata.labels, metadata.labels),
    picked(is.metadata.annotations, metadata.annotations),
    (is.metadata.ownerReferences ?? []).filter(({ uid }) => uids.has(uid)),
    picked(is, fields),
  ])
}

function picked(from: Record<string, unknown> = {}, like: object = {}): Record<string, unknown> {
  return Object.fromEntries(Object.keys(like).map((key) => [key, from[key] ?? null]))
}

/** Lists that are merged by server-side apply, item by item: others may have added to them. */
const KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  ports: 'name',
  imagePullSecrets: 'name',
  ownerReferences: 'uid',
  volumeMounts: 'mountPath',
}

/** Whether everything that is wanted is there; defaults that the server adds do not matter. */
export function isWithin(wanted: unknown, is: unknown, field = '', amounts = false): boolean {
  if (wanted === undefined || wanted === null) return true
  if (Array.isArray(wanted)) {
    if (wanted.length === 0 && is === undefined) return true
    if (!Array.isArray(is)) return false
    const key = KEYS[field]
    const hasKeys = key !== undefined && [...wanted, ...is].every((item) => isMap(item) && item[key] !== undefined)
    if (!hasKeys) return wanted.length === is.length && wanted.every((item, at) => isWithin(item, is[at], '', amounts))
    return wanted.every((item) =>
      isWithin(
        item,
        is.find((one) => one[key] === item[key]),
        '',
        amounts,
      ),
    )
  }
  if (isMap(wanted)) {
    const entries = Object.entries(wanted)
    if (is === undefined) return entries.every(([, value]) => value === undefined || value === null)
    return isMap(is) && entries.every(([key, value]) => isWithin(value, is[key], key, amounts || key === 'resources'))
  }
  if (wanted === is) return true
  // Written as it likes: 2048Mi as 2Gi.
  const amount = amounts && (typeof wanted === 'string' || typeof wanted === 'number') ? quantity(wanted) : undefined
  return amount !== undefined && (typeof is === 'string' || typeof is === 'number') && quantity(is) === amount
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
