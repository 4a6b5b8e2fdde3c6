/**
 * Timers of one keyed operator [PF-03..PF-07]: at most one per key, time and kind.
 *
 * Algorithm: per kind a 4-ary heap by time (times in an array of doubles, so that sifting reads one cache line per level) and a
 * table of the timers that exist, segmented so that its growth never stalls for long. Registering, deleting and firing are
 * O(log n) at most; times that come in rising order register in O(1).
 *
 * Event timers fire when the watermark reaches them, in the order of their times, and those that a timer registers for a time already
 * reached fire in the same pass. A timer of processing time T fires when the clock has passed T, 1 ms later, so that records
 * of the same millisecond come before it. One physical timer is armed for the earliest.
 *
 * Bursts are resumable: {@link Timers.fire} stops after a while, and goes on where it stopped.
 *
 * Loaded once per operator (`hotCopy('operators/timers', n)`).
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import type { Key } from '../core/functions.ts'
import { lookupKey } from '../core/hash.ts'
import { inferType, type TypeDescription } from '../core/types.ts'
import type { OperatorContext, RestoredState, SnapshotWriter } from './operator.ts'

/** Timers fired between two looks at the output. */
const FIRE_BATCH = 64
/** Timers fired in one turn at most; other tasks of the slot want their turn too. */
const FIRE_TURN_MAX = 2048

/** Names of the tables of a checkpoint: this and the domain. */
const TABLES = 'tailrace:timers/'
const KEY_SAMPLES = 64
/** Timers encoded in one step: less than a millisecond. */
const SNAPSHOT_STEP = 2048

export type TimeDomain = 'event' | 'processing'

export class Timer {
  readonly key: Key
  /** Hash of the key; its key group. */
  readonly keyHash: number
  readonly timestamp: number
  /** Primitive equal for equal keys. */
  readonly lookup: any
  /** Of key and time, never 0. */
  readonly hash: number
  /** Position in the heap. */
  index = 0

  constructor(key: Key, keyHash: number, timestamp: number, lookup: any, hash: number) {
    this.key = key
    this.keyHash = keyHash
    this.timestamp = timestamp
    this.lookup = lookup
    this.hash = hash
  }
}

const MULTIPLIER = 0x9e3779b1
const SEGMENTS = 64

/** Hash of a key's timer at a time. */
function timerHash(keyHash: number, timestamp: number): number {
  const hash = Math.imul((keyHash ^ Math.imul(timestamp | 0, 0x85ebca6b)) | 0, 0xc2b2ae35)
  const mixed = hash ^ (hash >>> 15)
  return mixed === 0 ? 1 : mixed
}

/** The timers that exist: pairs of hash (0: free) and timer, open addressing. */
class TimerSet {
  #segments: { pairs: any[]; size: number }[] = []

  find(lookup: any, timestamp: number, hash: number): Timer | undefined {
    const segment = this.#segments[hash >>> 26]
    if (segment === undefined) return undefined
    const { pairs } = segment
    const mask = pairs.length - 1
    for (let at = place(hash, pairs.length); ; at = (at + 2) & mask) {
      const found = pairs[at]
      if (found === 0) return undefined
      if (found !== hash) continue
      const timer: Timer = pairs[at + 1]
      if (timer.timestamp === timestamp && timer.lookup === lookup) return timer
    }
  }

  add(timer: Timer): void {
    if (this.#segments.length === 0)
      this.#segments = Array.from({ length: SEGMENTS }, () => ({ pairs: freePairs(8), size: 0 }))
    const segment = this.#segments[timer.hash >>> 26]!
    if (segment.size * 4 >= segment.pairs.length) {
      // Half of the places are taken: double them.
      const { pairs } = segment
      segment.pairs = freePairs(pairs.length)
      for (let at = 0; at < pairs.length; at += 2) if (pairs[at] !== 0) store(segment.pairs, pairs[at + 1])
    }
    store(segment.pairs, timer)
    segment.size++
  }

  delete(timer: Timer): void {
    const segment = this.#segments[timer.hash >>> 26]!
    const { pairs } = segment
    const mask = pairs.length - 1
    let gap = place(timer.hash, pairs.length)
    while (pairs[gap + 1] !== timer) gap = (gap + 2) & mask
    for (let at = (gap + 2) & mask; pairs[at] !== 0; at = (at + 2) & mask) {
      const home = place(pairs[at], pairs.length)
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      pairs[gap] = pairs[at]
      pairs[gap + 1] = pairs[at + 1]
      gap = at
    }
    pairs[gap] = 0
    pairs[gap + 1] = undefined
    segment.size--
  }
}

function freePairs(capacity: number): any[] {
  const pairs = new Array(2 * capacity).fill(undefined)
  for (let i = 0; i < pairs.length; i += 2) pairs[i] = 0
  return pairs
}

/** Index of the first pair to look at in an array of `length`, a power of two. */
function place(hash: number, length: number): number {
  return (Math.imul(hash, MULTIPLIER) >>> Math.clz32(length - 1)) & ~1
}

function store(pairs: any[], timer: Timer): void {
  const mask = pairs.length - 1
  let at = place(timer.hash, pairs.length)
  while (pairs[at] !== 0) at = (at + 2) & mask
  pairs[at] = timer.hash
  pairs[at + 1] = timer
}

/** Timers of one kind. */
export class TimerQueue {
  /** Time of the earliest; Infinity when there is none, or when it is at the end of time. */
  firstMs = Infinity
  size = 0
  #times = new Float64Array(16)
  #timers: Timer[] = []
  readonly #set = new TimerSet()

  /** False when the key has that timer already. */
  register(key: Key, keyHash: number, timestamp: number): boolean {
    const lookup = typeof key === 'object' ? lookupKey(key) : key
    const hash = timerHash(keyHash, timestamp)
    if (this.#set.find(lookup, timestamp, hash) !== undefined) return false
    const timer = new Timer(key, keyHash, timestamp, lookup, hash)
    this.#set.add(timer)
    if (this.size === this.#times.length) {
      const times = new Float64Array(this.size * 2)
      times.set(this.#times)
      this.#times = times
    }
    this.#timers.push(timer)
    this.#up(this.size++, timer)
    this.firstMs = this.#times[0]!
    return true
  }

  /** False when the key has no such timer. */
  delete(key: Key, keyHash: number, timestamp: number): boolean {
    const lookup = typeof key === 'object' ? lookupKey(key) : key
    const timer = this.#set.find(lookup, timestamp, timerHash(keyHash, timestamp))
    if (timer === undefined) return false
    this.#remove(timer)
    return true
  }

  /** Takes the earliest out if its time is at most `timeMs`. */
  takeUntil(timeMs: number): Timer | undefined {
    if (this.size === 0 || this.#times[0]! > timeMs) return undefined
    const timer = this.#timers[0]!
    this.#remove(timer)
    return timer
  }

  /** All timers, in no order; the array is a copy. */
  all(): Timer[] {
    return this.#timers.slice()
  }

  #remove(timer: Timer): void {
    this.#set.delete(timer)
    const last = this.#timers.pop()!
    this.size--
    if (last !== timer) {
      const { index } = timer
      if (index > 0 && this.#times[(index - 1) >> 2]! > last.timestamp) this.#up(index, last)
      else this.#down(index, last)
    }
    this.firstMs = this.size === 0 ? Infinity : this.#times[0]!
  }

  #up(index: number, timer: Timer): void {
    const times = this.#times
    while (index > 0) {
      const parent = (index - 1) >> 2
      if (times[parent]! <= timer.timestamp) break
      this.#move(index, this.#timers[parent]!)
      index = parent
    }
    this.#move(index, timer)
  }

  #down(index: number, timer: Timer): void {
    const times = this.#times
    for (;;) {
      const first = 4 * index + 1
      if (first >= this.size) break
      let least = first
      const end = Math.min(first + 4, this.size)
      for (let child = first + 1; child < end; child++) if (times[child]! < times[least]!) least = child
      if (times[least]! >= timer.timestamp) break
      this.#move(index, this.#timers[least]!)
      index = least
    }
    this.#move(index, timer)
  }

  #move(index: number, timer: Timer): void {
    this.#times[index] = timer.timestamp
    this.#timers[index] = timer
    timer.index = index
  }
}

/** Both kinds, and when they fire. */
export class Timers {
  readonly event = new TimerQueue()
  readonly processing = new TimerQueue()
  watermark = -Infinity
  readonly #context: OperatorContext
  readonly #onTimer: (timer: Timer, domain: TimeDomain) => void
  readonly #wake: () => void
  /** Processing timers fire below this time. */
  #nowMs = -Infinity
  /** Time and handle of the physical timer. */
  #armedMs = Infinity
  #armed = 0

  /** `wake` is called when processing timers are due: call {@link fire} until it returns true. */
  constructor(context: OperatorContext, onTimer: (timer: Timer, domain: TimeDomain) => void, wake: () => void) {
    this.#context = context
    this.#onTimer = onTimer
    this.#wake = wake
  }

  registerProcessing(key: Key, keyHash: number, timestamp: number): void {
    if (this.processing.register(key, keyHash, timestamp)) this.#arm()
  }

  deleteProcessing(key: Key, keyHash: number, timestamp: number): void {
    // The physical timer stays: it finds nothing due and is armed anew. Moving it at every delete would cost more.
    this.processing.delete(key, keyHash, timestamp)
  }

  /** Keeps one physical timer, 1 ms after the earliest. */
  #arm(): void {
    const dueMs = this.processing.firstMs + 1
    if (dueMs >= this.#armedMs) return
    if (this.#armedMs !== Infinity) this.#context.cancelTimer(this.#armed)
    this.#armedMs = dueMs
    this.#armed = this.#context.registerTimer(dueMs, (timeMs) => {
      this.#armedMs = Infinity
      this.#nowMs = Math.max(timeMs, this.#context.clock.now())
      if (this.processing.firstMs < this.#nowMs) this.#wake()
      else this.#arm()
    })
  }

  /** Whether a timer is due: by the watermark, or by the time at which the physical timer last fired. */
  get due(): boolean {
    return this.event.firstMs <= this.watermark ? this.event.size > 0 : this.processing.firstMs < this.#nowMs
  }

  /** Fires what is due, event timers first; false when it stopped before the end, by its budget or as the output is blocked. */
  fire(): boolean {
    for (let left = FIRE_TURN_MAX; left > 0; left -= FIRE_BATCH) {
      for (let i = 0; i < FIRE_BATCH; i++) {
        let timer = this.event.takeUntil(this.watermark)
        if (timer !== undefined) {
          this.#onTimer(timer, 'event')
          continue
        }
        timer = this.processing.firstMs < this.#nowMs ? this.processing.takeUntil(this.#nowMs) : undefined
        if (timer === undefined) {
          this.#arm()
          return true
        }
        this.#onTimer(timer, 'processing')
      }
      if (this.#context.outputBlocked()) break
    }
    return !this.due
  }

  /** Timers never change, so a copy of the lists is all that the barrier takes. */
  snapshot(writer: SnapshotWriter): void {
    for (const domain of ['event', 'processing'] as const) {
      const timers = this[domain].all()
      if (timers.length === 0) continue
      const k = inferType(timers.slice(0, KEY_SAMPLES).map((timer) => timer.key))
      const row: TypeDescription = {
        kind: 'row',
        fields: [
          ['k', k],
          ['t', { kind: 'number' }],
        ],
      }
      const table = writer.table({ name: TABLES + domain, kind: 'timers', row })
      let next = 0
      writer.later(() => {
        const end = Math.min(timers.length, next + SNAPSHOT_STEP)
        for (; next < end; next++) {
          const { key, keyHash, timestamp } = timers[next]!
          table.putEarly({ k: key, t: timestamp }, keyHash, NO_TIMESTAMP)
        }
        return next === timers.length
      })
    }
  }

  /** Overdue timers of processing time fire at once [PF-07]. */
  async restore(restored: RestoredState): Promise<void> {
    await restored.readTables(({ name }) => {
      if (!name.startsWith(TABLES)) return undefined
      const queue = name === `${TABLES}event` ? this.event : this.processing
      return ({ k, t }, keyHash) => {
        queue.register(k, keyHash, t)
      }
    })
    this.#arm()
  }

  /** No timer fires any more. */
  close(): void {
    if (this.#armedMs !== Infinity) this.#context.cancelTimer(this.#armed)
    this.#armedMs = Infinity
  }
}
