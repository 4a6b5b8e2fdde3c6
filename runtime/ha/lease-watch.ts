/**
 * Follows a Lease by a watch that is opened again and again.
 *
 *     resync (get) ──▶ watch from its version ──▶ ended in peace: watch from the newest version that is known
 *        ▲                        │          └──▶ failed, or 410 Gone: wait, resync
 *        │                        ▼
 *        └────────── silent: longer than between two renewals
 *
 * What must hold: nothing older than what was told is told later. It is a hint all the same: a connection may be dead without anyone noticing for a while, so whoever acts on time
 * reads before (candidacy.ts).
 */
import { backOffMs } from '../checkpoint/retry.ts'
import type { Schedule } from '../core/clock.ts'
import { retryAfterMsOf } from './attempts.ts'
import type { LeaseClient, LeaseObject } from './lease-client.ts'

export interface LeaseWatchOptions {
  client: LeaseClient
  schedule: Schedule
  random(): number
  warn(text: string): void
  /** A watch that has told nothing for so long, in milliseconds, is not trusted; more than there is between two renewals. */
  silenceMs: number
}

const WAITS = { attemptsMax: Infinity, firstWaitMs: 100, waitMaxMs: 5_000 }
/** For a server that ends watches at once, in peace. */
const PEACE_MS = 50
const RESYNC_TIMEOUT_MS = 2_000

export class LeaseWatch {
  readonly #options: LeaseWatchOptions
  readonly #changed: (object: LeaseObject | undefined) => void
  /** Ends what is under way: a watch, a resync or a wait. */
  #stop: () => void = () => {}
  #stopSilence: () => void = () => {}
  #stopped = false
  #version: string | undefined
  #failures = 0
  #warned = ''

  constructor(options: LeaseWatchOptions, changed: (object: LeaseObject | undefined) => void) {
    this.#options = options
    this.#changed = changed
    void this.#resync()
  }

  stop(): void {
    this.#stopped = true
    this.#stop()
    this.#stopSilence()
  }

  async #resync(): Promise<void> {
    const { client, schedule } = this.#options
    const abort = new AbortController()
    const late = schedule(RESYNC_TIMEOUT_MS, () => abort.abort())
    this.#stop = () => abort.abort()
    try {
      const object = await client.get(abort.signal)
      if (this.#stopped) return
      const version = object?.metadata.resourceVersion
      // What was deleted and made anew begins anew.
      if (!isOlder(version, this.#version) || object === undefined) this.#tell(object, version)
      this.#watch()
    } catch (error) {
      this.#again(error)
    } finally {
      late()
    }
  }

  #watch(): void {
    const { client, schedule } = this.#options
    const stop = client.watch(this.#version, {
      changed: (object, version) => {
        if (this.#stopped) return
        this.#listen()
        this.#wentWell()
        if (!isOlder(version, this.#version)) this.#tell(object, version)
      },
      bookmark: (version) => {
        this.#listen()
        this.#wentWell()
        if (!isOlder(version, this.#version)) this.#version = version
      },
      ended: ({ gone, error }) => {
        if (this.#stopped) return
        if (gone || error !== undefined) this.#again(error)
        else this.#stop = schedule(PEACE_MS, () => this.#watch())
      },
    })
    this.#stop = stop
    this.#listen()
  }

  /** Something was heard: waits for the next. */
  #listen(): void {
    this.#stopSilence()
    if (this.#stopped) return
    this.#stopSilence = this.#options.schedule(this.#options.silenceMs, () => {
      this.#stop()
      void this.#resync()
    })
  }

  /** Not when it could be read only: who may get it and not watch it would try without a pause. */
  #wentWell(): void {
    this.#failures = 0
    this.#warned = ''
  }

  #tell(object: LeaseObject | undefined, version: string | undefined): void {
    this.#version = version
    this.#changed(object)
  }

  #again(error: unknown): void {
    this.#stopSilence()
    if (this.#stopped) return
    const { schedule, random, warn } = this.#options
    const text = (error as Error | undefined)?.message ?? ''
    if (text !== '' && text !== this.#warned) warn(text)
    this.#warned = text
    const ms = backOffMs(++this.#failures, random(), WAITS)
    this.#stop = schedule(Math.max(ms, Math.min(retryAfterMsOf(error), WAITS.waitMaxMs)), () => void this.#resync())
  }
}

/** Versions are numbers that rise, though the API promises that only since lately; others are never older. */
export function isOlder(version: string | undefined, than: string | undefined): boolean {
  if (version === undefined || than === undefined) return false
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false
  return BigInt(version) < BigInt(than)
}
