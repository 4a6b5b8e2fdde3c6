/**
 * Keeps a cache equal to what the API server has of one kind: a list, then watches that are opened again and again, for all namespaces or for each of some.
 *
 *     list (pages of 500) ──▶ watch from its version ──▶ ended in peace: watch from the newest version that is known, at once
 *        ▲        │ fails: wait       │     ▲    └──▶ failed: wait, then the same
 *        │        └──▶ list           │     └──────── silent for too long: given up, then the same
 *        └────────────────────────────┘ 410 Gone
 *
 * What must hold:
 * - after faults end the cache is what the server has; on the way each key only goes forward: nothing is told twice, nothing older after something newer;
 * - a quiet watch is opened again without a pause, and pauses grow (capped, with jitter) with failures only;
 * - a connection that is dead is noticed: the server sends at least bookmarks, so the age of the last byte says it.
 */
import type { Clock, Schedule } from '../../runtime/core/clock.ts'
import { Cache, type Indexer } from './cache.ts'
import type { KubeClient } from './client.ts'
import { type KubeObject, keyOf, type Resource } from './objects.ts'
import { isKubeError } from './status-error.ts'

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient
  resource: Resource<T>
  /** undefined: all. */
  namespaces?: readonly string[] | undefined
  labelSelector?: string
  fieldSelector?: string
  indexes?: Readonly<Record<string, Indexer<T>>>
  /** What is kept of an object: by default all but `managedFields`. */
  keep?(object: T): T
  clock: Clock
  schedule: Schedule
  /** From 0 up to 1. */
  random(): number
  /** Hears each problem once, until it is over. */
  warn(text: string): void
  /** A watch that has been silent for so long, in milliseconds, is opened again; bookmarks come each minute. 150,000 if not given. */
  silenceMs?: number
}

const PAGE_SIZE = 500
const TIMEOUT_SECONDS_MIN = 300
const TIMEOUT_SECONDS_MAX = 600
const SILENCE_MS = 150_000
const FIRST_WAIT_MS = 200
const WAIT_MAX_MS = 30_000
/** A watch that was ended sooner, having told nothing, was no success. */
const BRIEF_MS = 1_000
/** And one that was open for so long was one. */
const LASTING_MS = 10_000

/**
 * @example
 * const pods = new Reflector({ client, resource: RESOURCES.pods, labelSelector: 'app.kubernetes.io/name=tailrace', ... })
 * pods.start()
 * await pods.synced
 * pods.cache.get('jobs/fraud-taskmanager-0')
 */
export class Reflector<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>
  readonly cache: Cache<T>
  /** Resolves when everything has been listed once. */
  readonly synced: Promise<void>
  readonly #feeds: readonly Feed<T>[]
  #isSynced = false

  constructor(options: ReflectorOptions<T>) {
    const { resource, namespaces } = options
    this.resource = resource
    this.cache = new Cache(options.indexes)
    const scopes = resource.namespaced && namespaces !== undefined ? [...new Set(namespaces)] : [undefined]
    this.#feeds = scopes.map((namespace) => new Feed(options, namespace, this.cache))
    this.synced = Promise.all(this.#feeds.map(({ synced }) => synced)).then(() => {
      this.#isSynced = true
    })
  }

  get isSynced(): boolean {
    return this.#isSynced
  }

  /** Since the API server was heard last, on the feed of which that is longest ago; Infinity: never yet. */
  get silentMs(): number {
    return Math.max(...this.#feeds.map((feed) => feed.silentMs))
  }

  start(): void {
    for (const feed of this.#feeds) feed.start()
  }

  stop(): void {
    for (const feed of this.#feeds) feed.stop()
  }
}

/** The objects of one namespace, or of all. */
class Feed<T extends KubeObject> {
  readonly synced: Promise<void>
  readonly #options: ReflectorOptions<T>
  readonly #namespace: string | undefined
  readonly #cache: Cache<T>
  readonly #setSynced: () => void
  readonly #abort = new AbortController()
  /** Ends what is under way: a watch or a wait. */
  #stop = () => {}
  #stopSilence = () => {}
  #version = ''
  #heardMs = -Infinity
  #openedMs = 0
  #toldAnything = false
  #failures = 0
  #warned = ''

  constructor(options: ReflectorOptions<T>, namespace: string | undefined, cache: Cache<T>) {
    this.#options = options
    this.#namespace = namespace
    this.#cache = cache
    const { promise, resolve } = Promise.withResolvers<void>()
    this.synced = promise
    this.#setSynced = resolve
  }

  get silentMs(): number {
    return this.#options.clock.monotonic() - this.#heardMs
  }

  start(): void {
    void this.#list()
  }

  stop(): void {
    this.#abort.abort(new Error('stopped'))
    this.#stop()
    this.#stopSilence()
  }

  get #isStopped(): boolean {
    return this.#abort.signal.aborted
  }

  async #list(): Promise<void> {
    const { client, resource, labelSelector, fieldSelector, clock } = this.#options
    const items: T[] = []
    try {
      for (let token: string | undefined; ; ) {
        const page = await client.listPage(resource, {
          namespace: this.#namespace,
          labelSelector,
          fieldSelector,
          limit: PAGE_SIZE,
          ...(token !== undefined && { continue: token }),
          signal: this.#abort.signal,
        })
        if (this.#isStopped) return
        this.#heardMs = clock.monotonic()
        for (const item of page.items) items.push(this.#kept(item))
        token = page.continue
        if (token === undefined) {
          this.#version = page.resourceVersion
          break
        }
      }
    } catch (error) {
      if (!this.#isStopped) this.#again(error, () => void this.#list())
      return
    }
    // Not a success yet: there are servers that list, and then have no version to watch from.
    this.#replace(items)
    this.#setSynced()
    this.#watch()
  }

  /** What is not in the list is gone. */
  #replace(items: readonly T[]): void {
    const keys = new Set(items.map(({ metadata }) => keyOf(metadata)))
    for (const { metadata } of this.#cache.list()) {
      const isOwn = this.#namespace === undefined || metadata.namespace === this.#namespace
      if (isOwn && !keys.has(keyOf(metadata))) this.#cache.delete(keyOf(metadata))
    }
    for (const item of items) this.#cache.set(item)
  }

  #watch(): void {
    if (this.#isStopped) return
    const { client, resource, labelSelector, fieldSelector, clock, random } = this.#options
    const span = TIMEOUT_SECONDS_MAX - TIMEOUT_SECONDS_MIN
    const timeoutSeconds = TIMEOUT_SECONDS_MIN + Math.floor(random() * (span + 1))
    this.#openedMs = clock.monotonic()
    this.#toldAnything = false
    this.#stop = client.watch(
      resource,
      { namespace: this.#namespace, labelSelector, fieldSelector, resourceVersion: this.#version, timeoutSeconds },
      {
        heard: () => {
          this.#heardMs = clock.monotonic()
          this.#awaitNext()
        },
        event: (type, object) => this.#told(type, object),
        bookmark: (version) => {
          this.#version = version
          this.#wentWell()
        },
        ended: (end) => this.#ended(end),
      },
    )
    this.#awaitNext()
  }

  #told(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const { resourceVersion } = object.metadata
    if (type === 'DELETED') this.#cache.delete(keyOf(object.metadata), this.#kept(object))
    else this.#cache.set(this.#kept(object))
    if (resourceVersion !== undefined) this.#version = resourceVersion
    this.#wentWell()
  }

  #ended({ gone, error }: { gone?: boolean; error?: Error }): void {
    this.#stopSilence()
    if (this.#isStopped) return
    const lastedMs = this.#options.clock.monotonic() - this.#openedMs
    if (lastedMs >= LASTING_MS) this.#failures = 0
    if (gone) {
      // Not at once, when it comes again and again.
      if (this.#failures === 0) {
        this.#failures++
        void this.#list()
      } else this.#again(undefined, () => void this.#list())
    } else if (error !== undefined) this.#again(error, () => this.#watch())
    else if (!this.#toldAnything && lastedMs < BRIEF_MS) this.#again(undefined, () => this.#watch())
    else {
      this.#wentWell()
      this.#watch()
    }
  }

  /** Waits for the next byte. */
  #awaitNext(): void {
    const { schedule, silenceMs = SILENCE_MS } = this.#options
    this.#stopSilence()
    if (this.#isStopped) return
    this.#stopSilence = schedule(silenceMs, () => {
      this.#stop()
      this.#watch()
    })
  }

  #wentWell(): void {
    this.#toldAnything = true
    this.#failures = 0
    this.#warned = ''
  }

  #again(error: unknown, then: () => void): void {
    const { schedule, random, warn } = this.#options
    const text = (error as Error | undefined)?.message ?? ''
    if (text !== '' && text !== this.#warned) warn(text)
    this.#warned = text
    const full = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 20)
    const toldMs = isKubeError(error) ? Math.min(WAIT_MAX_MS, error.retryAfterMs) : 0
    this.#stop = schedule(Math.max(toldMs, (full / 2) * (1 + random())), then)
  }

  #kept(object: T): T {
    const { keep } = this.#options
    if (keep !== undefined) return keep(object)
    delete object.metadata.managedFields
    return object
  }
}
