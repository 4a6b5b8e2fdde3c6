/**
 * What an API server refuses, as an error with a code: it names the verb, the object, and the server's reason in its own words.
 */
import { type ErrorCode, isTailraceError, TailraceError } from '../../runtime/core/errors.ts'
import type { TransportResponse } from '../../runtime/ha/kubernetes-transport.ts'

/** What kubectl prints of a failure. */
export interface KubeStatus {
  message?: string
  reason?: string
  code?: number
  details?: {
    causes?: { reason?: string; message?: string; field?: string }[]
    retryAfterSeconds?: number
  }
}

/** An error of the API server; recognised by {@link isKubeError}. */
export interface KubeError extends TailraceError {
  /** Of HTTP; undefined: there was no answer. */
  status: number | undefined
  /** The server's word, such as `Conflict`, `Forbidden`, `NotFound`, `Invalid`. */
  reason: string
  /** How long the server wants to be left in peace; 0: it has not said. */
  retryAfterMs: number
}

/** What the codes mean, by their names. */
export const KUBE = {
  unreachable: 'TR-KUBE-001',
  denied: 'TR-KUBE-002',
  conflict: 'TR-KUBE-003',
  notFound: 'TR-KUBE-004',
  invalid: 'TR-KUBE-005',
  overloaded: 'TR-KUBE-006',
  otherManager: 'TR-KUBE-007',
  connection: 'TR-KUBE-008',
  exists: 'TR-KUBE-009',
  quota: 'TR-KUBE-010',
  gone: 'TR-KUBE-011',
} as const satisfies Record<string, ErrorCode>

const UNFIT = /^failed to (create typed patch object|convert new object)/

const WANTED: Record<(typeof KUBE)[keyof typeof KUBE], string> = {
  'TR-KUBE-001': 'an answer',
  'TR-KUBE-002': 'the right to do so',
  'TR-KUBE-003': 'the version that was read last',
  'TR-KUBE-004': 'it to be there, and its kind to be installed',
  'TR-KUBE-005': 'an object that the API server accepts',
  'TR-KUBE-006': 'a server that can take the request',
  'TR-KUBE-007': 'fields that nobody else manages',
  'TR-KUBE-008': 'a kubeconfig, or the service account of a pod',
  'TR-KUBE-009': 'a name that is free',
  'TR-KUBE-010': 'room in the quota of the namespace',
  'TR-KUBE-011': 'a newer list to go on from',
}

export function isKubeError(error: unknown, ...codes: ErrorCode[]): error is KubeError {
  return isTailraceError(error) && 'retryAfterMs' in error && (codes.length === 0 || codes.includes(error.code))
}

/** @param what verb and object, such as `apply the Deployment "jobs/fraud-jobmanager"` */
export function statusError(what: string, response: TransportResponse): KubeError {
  const { status, headers, body } = response
  const said = parseStatus(body)
  const code = codeOf(status, said)
  const causes = (said.details?.causes ?? []).map(({ field, message }) => [field, message].filter(Boolean).join(': '))
  const main = said.message ?? body.slice(0, 200).trim()
  const text = [main, ...causes.filter((cause) => !isWithin(main, cause))].filter((part) => part !== '').join('; ')
  const found = `the API server answered ${status}${said.reason ? ` ${said.reason}` : ''}${text ? ` (${text})` : ''}`
  const seconds = Number(headers['retry-after'] ?? said.details?.retryAfterSeconds)
  return kubeError(code, `Cannot ${what}: ${found}, wanted ${WANTED[code]}`, {
    status,
    reason: said.reason ?? '',
    retryAfterMs: seconds > 0 ? seconds * 1000 : 0,
  })
}

/** There was no answer. */
export function unreachable(what: string, server: string, error: unknown): KubeError {
  const text = causeOf(error)
  return kubeError(
    KUBE.unreachable,
    `Cannot ${what}: ${text} (${server}), wanted ${WANTED[KUBE.unreachable]}`,
    { status: undefined, reason: '', retryAfterMs: 0 },
    error,
  )
}

export function kubeError(
  code: keyof typeof WANTED,
  message: string,
  fields: Pick<KubeError, 'status' | 'reason' | 'retryAfterMs'>,
  cause?: unknown,
): KubeError {
  return Object.assign(new TailraceError(code, message, { cause }), fields)
}

function codeOf(status: number, said: KubeStatus): keyof typeof WANTED {
  const { reason, message = '', details } = said
  if (status === 409) {
    if (reason === 'AlreadyExists') return KUBE.exists
    const isManagers = details?.causes?.some((cause) => cause.reason === 'FieldManagerConflict') ?? false
    return isManagers ? KUBE.otherManager : KUBE.conflict
  }
  if (status === 403 && message.includes('exceeded quota')) return KUBE.quota
  if (status === 401 || status === 403) return KUBE.denied
  if (status === 404) return KUBE.notFound
  if (status === 410) return KUBE.gone
  // To a patch that was meant for another object of the same name.
  if (status === 422 && details?.causes?.some(({ field }) => field === 'metadata.uid')) return KUBE.conflict
  // What cannot be an object of that kind at all is told as the server's own failure.
  if (status === 500 && UNFIT.test(message)) return KUBE.invalid
  if (status === 429 || status >= 500) return KUBE.overloaded
  return KUBE.invalid
}

function parseStatus(body: string): KubeStatus {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as KubeStatus) : {}
  } catch {
    return {}
  }
}

function isWithin(text: string, cause: string): boolean {
  return cause.split(': ').every((part) => text.includes(part))
}

function causeOf(error: unknown): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: unknown[] }
  if (message) return message
  return code || (errors?.length ? causeOf(errors[0]) : '') || 'no answer'
}
