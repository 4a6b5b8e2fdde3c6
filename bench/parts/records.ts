/** Kinds of records that the parts are measured with. A measured kind shares every class with the other two, as edges of a real job do. */
import type { Key } from '../../runtime/core/functions.ts'
import { makePayloads } from '../event.ts'
import type { Weigher } from './weigher.ts'

export interface Kind {
  /** `n` records, made beforehand: making them is not what is measured. */
  make(n: number): any[]
  keyOf(record: any): Key
  /** Reads every number of a record. */
  weigh(record: any): number
}

export type KindName = 'wide' | 'narrow' | 'event'

const CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple', 'channel-12', 'channel-77', 'channel-31', 'channel-5']
const START_MS = 1_700_000_000_000

export const KINDS: Record<KindName, Kind> = {
  /** A bid of Nexmark: 4 numbers and 3 strings, about 134 bytes in a batch. */
  wide: {
    make: (n) =>
      Array.from({ length: n }, (_, i) => ({
        auction: scatter(i) % 1_000_000,
        bidder: (scatter(i) >>> 3) % 100_000,
        price: 100 + ((scatter(i) >>> 8) % 10_000),
        channel: CHANNELS[i % CHANNELS.length]!,
        url: flat(
          `https://www.nexmark.com/${letters(i, 5)}/${letters(i + 1, 5)}/${letters(i + 2, 5)}/item.htm?query=1`,
        ),
        dateTime: START_MS + i,
        extra: letters(i + 3, 30),
      })),
    keyOf: (bid) => bid.auction,
    weigh: (bid) => bid.auction + bid.bidder + bid.price + (bid.dateTime - START_MS),
  },
  /** Three numbers. */
  narrow: {
    make: (n) =>
      Array.from({ length: n }, (_, i) => ({
        auction: scatter(i) % 1_000_000,
        price: 100 + ((scatter(i) >>> 8) % 10_000),
        dateTime: START_MS + i,
      })),
    keyOf: (bid) => bid.auction,
    weigh: (bid) => bid.auction + bid.price + (bid.dateTime - START_MS),
  },
  /** The event of the jobs beside Flink. */
  event: {
    make: (n) => {
      const payloads = makePayloads()
      return Array.from({ length: n }, (_, i) => ({
        ts: i,
        key: scatter(i) % 10_000,
        value: i % 1000,
        payload: payloads[i % payloads.length]!,
      }))
    },
    keyOf: (event) => event.key,
    weigh: (event) => event.ts + event.key + event.value,
  },
}

/** The kinds with `last` at the end: the others run before it to warm up what all share. */
export function withLast(last: KindName): KindName[] {
  return [...(Object.keys(KINDS) as KindName[]).filter((name) => name !== last), last]
}

function scatter(i: number): number {
  let h = Math.imul(i ^ (i >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function letters(seed: number, n: number): string {
  return flat(Array.from({ length: n }, (_, at) => String.fromCharCode(97 + (scatter(seed * 31 + at) % 26))).join(''))
}

/** One piece of memory, as a decoded string has, and not a tree of parts. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** What `n` records that go round `made` weigh together. */
export function weightOf(kind: Kind, made: any[], n: number): number {
  const sum = (records: any[]) => records.reduce((total, record) => total + kind.weigh(record), 0)
  return Math.floor(n / made.length) * sum(made) + sum(made.slice(0, n % made.length))
}

/** A receiver for records of a kind, of a class of its own: the head of a task is a copy of its operator's module, too. */
export async function makeWeigher(name: KindName): Promise<Weigher> {
  const url = new URL(`./weigher.ts?n=${name}`, import.meta.url).href
  const { Weigher } = (await import(url)) as typeof import('./weigher.ts')
  return new Weigher(KINDS[name].weigh)
}
