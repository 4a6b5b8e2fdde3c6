/** The first thing on a connection: who dials, for which attempt of which job, and that it may. JSON, so that a later version can say more. */
import { timingSafeEqual } from 'node:crypto'
import { badFrame } from './frames.ts'

const MAGIC = 'tailrace-data'
/** Of frames.ts and codec/batch.ts together: both ends must have the same. */
export const DATA_VERSION = 1

export interface Hello {
  jobId: string
  attempt: number
  /** Slots by their index in the job. */
  from: number
  to: number
  /** A secret of the deployment, which the JobManager gave to both ends. */
  token: string
}

export function encodeHello(hello: Hello): Buffer {
  return Buffer.from(JSON.stringify({ magic: MAGIC, version: DATA_VERSION, ...hello }))
}

/** Throws what is wrong with it, by names and never by the token's value. */
export function decodeHello(bytes: Buffer): Hello {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>
  } catch (cause) {
    throw badFrame(`the hello is not JSON (${(cause as Error).message.slice(0, 100)})`)
  }
  if (fields === null || typeof fields !== 'object' || fields.magic !== MAGIC) {
    throw badFrame('the hello is not that of a slot: a client of something else has found this port')
  }
  if (fields.version !== DATA_VERSION) {
    throw badFrame(
      `the slot that dials speaks version ${String(fields.version).slice(0, 20)}, this one ${DATA_VERSION}`,
    )
  }
  const { jobId, attempt, from, to, token } = fields
  for (const [name, value] of Object.entries({ attempt, from, to })) {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 0xffffffff) {
      throw badFrame(`the hello has no whole number "${name}"`)
    }
  }
  for (const [name, value] of Object.entries({ jobId, token })) {
    if (typeof value !== 'string') throw badFrame(`the hello has no text "${name}"`)
  }
  return { jobId, attempt, from, to, token } as Hello
}

/** Takes as long whatever is wrong. */
export function sameToken(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}
