/**
 * Keys that are known and cannot be had here, where leaving them out silently would be dangerous: a result would differ, or something would be open that should be closed. Only a value
 * that asks for nothing is taken.
 */
export interface Refused {
  /** Values that ask for nothing, in any case. */
  harmless: readonly string[]
  /** Completes "Cannot use "x" for key: …". */
  why: string
}

export const REFUSED: Readonly<Record<string, Refused>> = {
  'execution.runtime-mode': {
    harmless: ['STREAMING'],
    why: 'jobs run as streams, which send a result for each change where batches send the last one; STREAMING is wanted',
  },
  'security.ssl.rest.enabled': {
    harmless: ['false'],
    why: 'REST and the page would be served without TLS, as they have none yet; false is wanted, with a proxy in front',
  },
  'security.ssl.rest.authentication-enabled': {
    harmless: ['false'],
    why: 'REST would ask nobody for a certificate, as it has no TLS yet; false is wanted, with a proxy in front',
  },
}
