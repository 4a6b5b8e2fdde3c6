/**
 * Objects in a bucket of S3, or of a server that speaks it.
 *
 * What must hold:
 * - a conditional put is `If-None-Match: *`; that the server honours it is proved when checkpoints are opened (prove-store.ts);
 * - each request has a deadline, and its time begins anew when the answer begins, so a socket that says nothing, or stops in the middle, is given up;
 * - what may pass is tried again, so often and with growing waits (retry.ts, s3-errors.ts); the client's own retries are off, as their time and chance would be its own;
 * - so many requests are under way at a time.
 *
 * The client is loaded when a store is opened: it is large, and most processes need none.
 */
import type * as Sdk from '@aws-sdk/client-s3'
import { bounded } from './bounded.ts'
import { byKey, checkKey, checkPrefix, checkRange } from './keys.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'
import { RETRY_DEFAULTS, type RetryRules, retry, type Schedule } from './retry.ts'
import { judgeS3, type S3Failure, s3Error } from './s3-errors.ts'
import type { S3Settings } from './s3-settings.ts'

/** S3 deletes up to so many with one request. */
const DELETE_MAX = 1_000
const REQUESTS_MAX = 16
const REQUEST_TIMEOUT_MS = 30_000
/** A transfer that is slower is given up: 64 KB per second. */
const BYTES_PER_MS_MIN = 64
const CONNECT_TIMEOUT_MS = 5_000

export interface S3StoreOptions {
  random(): number
  schedule: Schedule
  rules?: RetryRules
  requestsMax?: number
  /** For the answer to begin, and for its rest, each; what a large transfer needs is added. */
  requestTimeoutMs?: number
}

/**
 * Opens it without a request: whether bucket and credentials are right shows at the first one.
 *
 * @example
 * const store = await openS3Store(s3Settings('s3://bucket/checkpoints', {}, process.env, warn), { random: Math.random, schedule })
 */
export async function openS3Store(settings: S3Settings, options: S3StoreOptions): Promise<ObjectStore> {
  const sdk = await import('@aws-sdk/client-s3')
  const { endpoint, region, pathStyle, credentials } = settings
  const requestsMax = options.requestsMax ?? REQUESTS_MAX
  const agent = { keepAlive: true, maxSockets: requestsMax }
  const client = new sdk.S3Client({
    maxAttempts: 1,
    forcePathStyle: pathStyle,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, httpAgent: agent, httpsAgent: agent },
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    // Servers of others know fewer of the checksums that AWS takes.
    ...(endpoint !== undefined && {
      endpoint,
      requestChecksumCalculation: 'WHEN_REQUIRED' as const,
      responseChecksumValidation: 'WHEN_REQUIRED' as const,
    }),
  })
  return new S3Store(sdk, client, settings, { ...options, requestsMax })
}

/** Runs one try of a request: `sent` when its answer begins, with the length of the rest if that is known. */
type Try<T> = (signal: AbortSignal, sent: (bytes?: number) => void) => Promise<T>

class S3Store implements ObjectStore {
  readonly url: string
  readonly #sdk: typeof Sdk
  readonly #client: Sdk.S3Client
  readonly #settings: S3Settings
  readonly #options: S3StoreOptions
  readonly #bound: <T>(work: () => Promise<T>) => Promise<T>

  constructor(
    sdk: typeof Sdk,
    client: Sdk.S3Client,
    settings: S3Settings,
    options: S3StoreOptions & { requestsMax: number },
  ) {
    this.url = settings.url
    this.#sdk = sdk
    this.#client = client
    this.#settings = settings
    this.#options = options
    this.#bound = bounded(options.requestsMax)
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const input = { ...this.#object(key), Body: bytes, ContentLength: bytes.length }
    await this.#request('put', key, bytes.length, (abortSignal) =>
      this.#client.send(new this.#sdk.PutObjectCommand(input), { abortSignal }),
    )
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    const input = { ...this.#object(key), Body: bytes, ContentLength: bytes.length, IfNoneMatch: '*' }
    const created = await this.#request(
      'create',
      key,
      bytes.length,
      async (abortSignal) => {
        await this.#client.send(new this.#sdk.PutObjectCommand(input), { abortSignal })
        return true
      },
      { exists: false },
    )
    return created
  }

  async copyFrom(key: string, from: string): Promise<boolean> {
    const [, bucket, source] = /^s3:\/\/([^/]+)\/(.+)$/.exec(from) ?? []
    if (bucket === undefined) return false
    const path = source!.split('/').map(encodeURIComponent).join('/')
    const input = { ...this.#object(key), CopySource: `${bucket}/${path}` }
    try {
      return await this.#request('copy', key, 0, async (abortSignal) => {
        const { CopyObjectResult } = await this.#client.send(new this.#sdk.CopyObjectCommand(input), { abortSignal })
        // A copy may fail after its answer has begun.
        return CopyObjectResult?.ETag !== undefined
      })
    } catch {
      // Not there, no permission, no such request: whoever copies the bytes says what is wrong.
      return false
    }
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    checkRange(range)
    // A range has a byte at least; whether the object is there must be known all the same.
    const length = range === undefined ? undefined : Math.max(1, range.length)
    const input = {
      ...this.#object(key),
      ...(range && length && { Range: `bytes=${range.offset}-${range.offset + length - 1}` }),
    }
    const bytes = await this.#request<Uint8Array | undefined>(
      'get',
      key,
      0,
      async (abortSignal, sent) => {
        const { Body, ContentLength } = await this.#client.send(new this.#sdk.GetObjectCommand(input), { abortSignal })
        sent(ContentLength)
        const found = (await Body?.transformToByteArray()) ?? new Uint8Array(0)
        if (ContentLength !== undefined && found.length !== ContentLength)
          throw cutOff(`${found.length} bytes of ${ContentLength}`)
        return found
      },
      { missing: undefined, range: new Uint8Array(0) },
    )
    return range === undefined || bytes === undefined ? bytes : bytes.subarray(0, range.length)
  }

  async list(prefix: string): Promise<StoredObject[]> {
    checkPrefix(prefix)
    const { bucket, prefix: base } = this.#settings
    const found: StoredObject[] = []
    let token: string | undefined
    do {
      const input = { Bucket: bucket, Prefix: base + prefix, ContinuationToken: token }
      const page = await this.#request('list', prefix, 0, (abortSignal) =>
        this.#client.send(new this.#sdk.ListObjectsV2Command(input), { abortSignal }),
      )
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        // Some tools keep an empty object for a folder.
        if (Key === undefined || Key.endsWith('/')) continue
        found.push({ key: Key.slice(base.length), size: Size ?? 0, modifiedMs: LastModified?.getTime() ?? 0 })
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
    return found.sort(byKey)
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    const batches: string[][] = []
    for (let at = 0; at < keys.length; at += DELETE_MAX) batches.push(keys.slice(at, at + DELETE_MAX))
    await Promise.all(
      batches.map((batch) => (batch.length === 1 ? this.#deleteOne(batch[0]!) : this.#deleteMany(batch))),
    )
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  async #deleteOne(key: string): Promise<void> {
    const input = this.#object(key)
    await this.#request<unknown>(
      'delete',
      key,
      0,
      (abortSignal) => this.#client.send(new this.#sdk.DeleteObjectCommand(input), { abortSignal }),
      { missing: undefined },
    )
  }

  async #deleteMany(keys: readonly string[]): Promise<void> {
    const { bucket, prefix } = this.#settings
    let left = [...keys]
    const input = () => ({
      Bucket: bucket,
      Delete: { Quiet: true, Objects: left.map((key) => ({ Key: prefix + key })) },
    })
    try {
      await this.#request('delete', keys[0]!, 0, async (abortSignal) => {
        const { Errors = [] } = await this.#client.send(new this.#sdk.DeleteObjectsCommand(input()), { abortSignal })
        const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey')
        if (failed.length === 0) return
        left = failed.map(({ Key }) => (Key ?? '').slice(prefix.length))
        throw Object.assign(new Error(failed[0]!.Message), { name: failed[0]!.Code })
      })
    } catch (error) {
      // Google's S3 has no such request.
      if (((error as Error).cause as S3Failure | undefined)?.name !== 'NotImplemented') throw error
      await Promise.all(left.map((key) => this.#deleteOne(key)))
    }
  }

  #object(key: string): { Bucket: string; Key: string } {
    checkKey(key)
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + key }
  }

  /** Tries until there is an answer; `otherwise` has results for what is no failure. */
  async #request<T>(
    what: string,
    key: string,
    bytes: number,
    work: Try<T>,
    otherwise: Partial<Record<'exists' | 'missing' | 'range', T>> = {},
  ): Promise<T> {
    const { random, schedule, rules = RETRY_DEFAULTS } = this.#options
    try {
      return await this.#bound(() =>
        retry(() => this.#try(work, bytes), {
          rules,
          random,
          schedule,
          passes: (error) => judgeS3(error) === 'passes',
        }),
      )
    } catch (error) {
      const verdict = judgeS3(error)
      if (verdict in otherwise) return otherwise[verdict as keyof typeof otherwise] as T
      throw s3Error(what, `${this.url}/${key}`, error)
    }
  }

  async #try<T>(work: Try<T>, bytes: number): Promise<T> {
    const { schedule, requestTimeoutMs = REQUEST_TIMEOUT_MS } = this.#options
    const abort = new AbortController()
    let late = 0
    const deadline = (more: number) => {
      const ms = requestTimeoutMs + more / BYTES_PER_MS_MIN
      return schedule(ms, () => {
        late = ms
        abort.abort()
      })
    }
    let cancel = deadline(bytes)
    try {
      return await work(abort.signal, (rest = 0) => {
        cancel()
        cancel = deadline(rest)
      })
    } catch (error) {
      throw late > 0 ? cutOff(`no answer within ${Math.round(late)} ms`, error) : error
    } finally {
      cancel()
    }
  }
}

function cutOff(text: string, cause?: unknown): Error {
  return Object.assign(new Error(text, { cause }), { name: 'TimeoutError' })
}
