/**
 * The bytes of a lease record in a file or an object (docs/ha-store.md): one line of JSON.
 *
 *     { formatVersion: 1, epoch, began, holder: { identity, startId, address } | null, leaseMs, acquiredMs, renewedMs }
 *
 * `began` is the number of the record that began the term.
 */
import { z } from 'zod'
import { TailraceError } from '../core/errors.ts'
import type { LeaseRecord } from './lease-store.ts'

const FORMAT_VERSION = 1
/** A record is a few hundred bytes. */
const ADDRESS_MAX = 4_096

const whole = z.int().min(0)
const text = z.string().max(ADDRESS_MAX)

const LeaseFile = z.object({
  formatVersion: z.literal(FORMAT_VERSION),
  epoch: whole.min(1),
  began: whole.min(1),
  holder: z.object({ identity: text, startId: text, address: text }).nullable(),
  leaseMs: z.number().positive(),
  acquiredMs: z.number(),
  renewedMs: z.number(),
})

export function encodeLease(record: LeaseRecord, began: number): Uint8Array {
  const { epoch, holder, leaseMs, acquiredMs, renewedMs } = record
  const whom = holder && { identity: holder.identity, startId: holder.startId, address: holder.address }
  const fields = { formatVersion: FORMAT_VERSION, epoch, began, holder: whom, leaseMs, acquiredMs, renewedMs }
  return new TextEncoder().encode(`${JSON.stringify(fields)}\n`)
}

export interface DecodedLease {
  record: LeaseRecord
  began: number
  problem?: string
}

/**
 * A record that is cut off, as after a power failure, counts as held by somebody unknown: nobody takes it before its time is up. As no epoch is above the number of its record, the
 * number stands for its epoch.
 *
 * Throws TR-HA-003 for one of another format version: whoever wrote it may follow other rules.
 */
export function decodeLease(bytes: Uint8Array, place: string, number: number): DecodedLease {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return unreadable(number, `it is no JSON (${bytes.length} bytes)`, place)
  }
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion
  if (version !== undefined && version !== FORMAT_VERSION)
    throw new TailraceError(
      'TR-HA-003',
      `Cannot read the lease "${place}": it has format version ${version}, wanted ${FORMAT_VERSION}`,
    )
  const parsed = LeaseFile.safeParse(json)
  if (!parsed.success) return unreadable(number, z.prettifyError(parsed.error), place)
  const { began, epoch, holder, leaseMs, acquiredMs, renewedMs } = parsed.data
  return { began, record: { epoch, holder, leaseMs, acquiredMs, renewedMs } }
}

function unreadable(number: number, found: string, place: string): DecodedLease {
  const holder = { identity: '', startId: '', address: '' }
  return {
    began: number,
    record: { epoch: number, holder, leaseMs: 0, acquiredMs: 0, renewedMs: 0 },
    problem: `Cannot read the lease "${place}": ${found}, wanted a record; others wait until its time is up`,
  }
}
