/**
 * What a store on S3 must do, against whichever server: the contract of object stores, and what happens when answers fail. Run over the toy server and over a real one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { checkpointOf } from './checkpoint-of.suite.ts'
import { createAndCompare } from './claims.ts'
import { type FaultyProxy, PROXY_FAULTS, type ProxyFault, startFaultyProxy } from './faulty-proxy.suite.ts'
import { objectStoreSuite } from './object-store.suite.ts'
import type { ObjectStore } from './object-store.ts'
import { openCheckpointStore } from './open-checkpoint-store.ts'
import type { RetryRules, Schedule } from './retry.ts'
import { s3Settings } from './s3-settings.ts'
import { openS3Store } from './s3-store.ts'
import { SeededTime } from './seeded-time.suite.ts'

export interface S3Server {
  endpoint: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
}

const realSchedule: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}
const IMPATIENT: RetryRules = { attemptsMax: 6, firstWaitMs: 1, waitMaxMs: 4 }
/** Those that are not noticed by a time-out. */
const QUICK_FAULTS = PROXY_FAULTS.filter((fault) => fault !== 'silent' && fault !== 'stall')
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes)

/** A store in a folder of its own. */
export function openOn(
  server: S3Server,
  folder: string,
  over: Record<string, string> = {},
  { random = () => 0.5, timeoutMs = 1_000 }: { random?: () => number; timeoutMs?: number } = {},
): Promise<ObjectStore> {
  const configuration = {
    's3.endpoint': server.endpoint,
    's3.access-key': server.accessKeyId,
    's3.secret-key': server.secretAccessKey,
    ...over,
  }
  const bucket = over.bucket ?? server.bucket
  return openS3Store(
    s3Settings(`s3://${bucket}/${folder}`, configuration, {}, () => {}),
    {
      random,
      schedule: realSchedule,
      rules: IMPATIENT,
      requestTimeoutMs: timeoutMs,
    },
  )
}

let folders = 0

/** `server` is called when the tests run. `timeoutMs` is what a request gets where answers do not come. */
export function s3Cases(name: string, server: () => S3Server, { timeoutMs = 300, seeds = 10 } = {}): void {
  const fresh = () => `tests/${process.pid}-${folders++}`

  objectStoreSuite(name, async () => {
    const folder = fresh()
    const calm = (): Promise<ObjectStore> => openS3StoreCalmly(server(), folder)
    return { store: await calm(), another: calm }
  })

  describe(`${name}: wrong places and credentials`, () => {
    const refusal = async (over: Record<string, string>) => {
      const store = await openOn(server(), 'job', over)
      const failures = await Promise.all(
        [store.put('k', bytesOf('x')), store.get('k'), store.list('')].map((call) =>
          call.then(
            () => 'done',
            (error) => `${error.code} ${error.message}`,
          ),
        ),
      )
      await store.close()
      return failures
    }

    it('name a bucket that is not there, with the key', async () => {
      for (const text of await refusal({ bucket: 'not-there' })) {
        expect(text).toMatch(/^TR-CHECKPOINT-005 Cannot (put|get|list) "s3:\/\/not-there\/job\/k?": .*NoSuchBucket/)
        expect(text).toMatch(/wanted: a bucket that is there/)
      }
    })

    it('name what the server said of the credentials, and never the secret', async () => {
      for (const text of await refusal({ 's3.access-key': 'nobody', 's3.secret-key': 'very-secret' })) {
        expect(text).toMatch(
          /^TR-CHECKPOINT-005 .*(InvalidAccessKeyId|AccessDenied|SignatureDoesNotMatch|XAdminUserNotFound)/,
        )
        expect(text).not.toContain('very-secret')
      }
    })
  })

  describe(`${name} behind a network that fails`, () => {
    let proxy: FaultyProxy
    beforeAll(async () => {
      proxy = await startFaultyProxy(server().endpoint)
    })
    afterAll(() => proxy.close())
    const throughProxy = (folder: string, random?: () => number) =>
      openOn({ ...server(), endpoint: proxy.endpoint }, folder, {}, { timeoutMs, ...(random && { random }) })
    const failOnce = (fault: ProxyFault, method: string) => {
      let left = 1
      proxy.fault = (found) => (found === method && left-- > 0 ? fault : undefined)
    }

    it.each(PROXY_FAULTS)('does each operation all the same, once: %s', async (fault) => {
      const store = await throughProxy(fresh())
      const many = ['a/1', 'a/2', 'a/3']
      for (const key of many) await store.put(key, bytesOf(key))
      const before = proxy.counts.get(fault) ?? 0

      failOnce(fault, 'PUT')
      await store.put('k', bytesOf('put'))
      failOnce(fault, 'GET')
      expect(textOf(await store.get('k'))).toBe('put')
      failOnce(fault, 'GET')
      expect((await store.list('a/')).map(({ key }) => key)).toEqual(many)
      failOnce(fault, 'PUT')
      expect(await createAndCompare(store, 'claim', bytesOf('mine'))).toBe('ours')
      failOnce(fault, 'PUT')
      expect(await createAndCompare(store, 'claim', bytesOf('other'))).toEqual({ others: bytesOf('mine') })
      failOnce(fault, 'POST')
      await store.delete(many)
      failOnce(fault, 'DELETE')
      await store.delete(['k'])
      proxy.fault = () => undefined
      expect((await store.list('')).map(({ key }) => key)).toEqual(['claim'])
      expect(proxy.counts.get(fault)! - before).toBe(7)
      await store.close()
    })

    it.each(['busy', 'silent', 'reset', 'mute'] as const)(
      'gives up in the end, and says what it met: %s',
      async (fault) => {
        const folder = fresh()
        const store = await throughProxy(folder)
        proxy.fault = () => fault
        await expect(store.put('k', bytesOf('x'))).rejects.toMatchObject({
          code: 'TR-CHECKPOINT-007',
          message: expect.stringContaining(`Cannot put "s3://${server().bucket}/${folder}/k": the last answer was `),
        })
        await store.close()
      },
    )

    it(`keeps checkpoints whole whatever fails, for ${seeds} seeds`, async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        const { random, below, chance } = new SeededTime(seed)
        const folder = fresh()
        const store = await throughProxy(folder, random)
        proxy.fault = () => (chance(0.12) ? QUICK_FAULTS[below(QUICK_FAULTS.length)] : undefined)
        const open = (owner: string) =>
          openCheckpointStore({
            store,
            folder: 'job',
            owner,
            retained: 1,
            clock: new ManualClock(),
            inlineBytesMax: 0,
            graceMs: 0,
            warn: () => {},
          })
        let id = 0
        for (const owner of ['one', 'two', 'three']) {
          const checkpoints = await open(owner)
          const read = async () => {
            const newest = checkpoints.completed.at(-1)
            const lists = newest === undefined ? [] : newest.metadata.operators[0]!.subtasks[0]!.lists
            return Promise.all(lists.map(async ({ handle }) => textOf(await checkpoints.read(handle))))
          }
          const where = `seed ${seed}, owner ${owner}`
          expect(await read(), where).toEqual(id === 0 ? [] : ['same', `state ${id}`])
          for (let round = 0; round < 3; round++) {
            id++
            const texts = ['same', `state ${id}`]
            await checkpoints.complete(
              checkpointOf(id, await Promise.all(texts.map((text) => checkpoints.write(bytesOf(text))))),
            )
            expect(await read(), where).toEqual(texts)
          }
          await checkpoints.close()
        }
        proxy.fault = () => undefined
        const keys = (await store.list('job/')).map(({ key }) => key)
        expect(keys.filter((key) => key.includes('/chk-'))).toEqual([`job/chk-${id}/_metadata`])
        expect(keys.filter((key) => key.includes('/shared/'))).toHaveLength(2)
        await store.close()
      }
    }, 60_000)
  })
}

/** With time enough for the suite, which asks for much at once. */
function openS3StoreCalmly(server: S3Server, folder: string): Promise<ObjectStore> {
  const configuration = {
    's3.endpoint': server.endpoint,
    's3.access-key': server.accessKeyId,
    's3.secret-key': server.secretAccessKey,
  }
  return openS3Store(
    s3Settings(`s3://${server.bucket}/${folder}`, configuration, {}, () => {}),
    {
      random: () => 0.5,
      schedule: realSchedule,
    },
  )
}
