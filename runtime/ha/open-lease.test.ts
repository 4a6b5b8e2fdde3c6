import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { startToyS3 } from '../checkpoint/toy-s3.suite.ts'
import { systemClock, systemSchedule } from '../core/clock.ts'
import type { Leader, Term } from './election.ts'
import { openElection } from './lease-election.ts'
import type { LeaseStore } from './lease-store.ts'
import { openLease } from './open-lease.ts'

const until = (holds: () => unknown) => expect.poll(holds, { timeout: 15_000, interval: 10 }).toBeTruthy()
const settings = (configuration: Record<string, string> = {}) => ({
  configuration,
  environment: {},
  random: Math.random,
  schedule: systemSchedule,
  warn: (text: string) => {
    throw new Error(text)
  },
})

/** One leads, gives up, and the other leads; an onlooker hears of both. */
async function passOn(open: () => Promise<LeaseStore>): Promise<void> {
  const start = async (identity: string) => {
    const store = await open()
    const { random, warn } = settings()
    const election = openElection({ store, clock: systemClock, schedule: systemSchedule, random, warn })
    const terms: Term[] = []
    const candidate = { identity, startId: `start-of-${identity}`, address: `${identity}:6123` }
    const candidacy = election.campaign(candidate, { elected: (term) => terms.push(term), lost: () => {} })
    return { election, candidacy, terms }
  }
  const a = await start('a')
  await until(() => a.terms.length === 1)
  const b = await start('b')
  const told: (Leader | undefined)[] = []
  b.election.watch((leader) => told.push(leader))
  await until(() => told.at(-1)?.identity === 'a')
  await a.candidacy.release()
  await until(() => b.terms.length === 1)
  await until(() => told.at(-1)?.identity === 'b')
  expect([...a.terms, ...b.terms].map(({ epoch }) => epoch)).toEqual([1, 2])
  await a.election.close()
  await b.election.close()
  expect(await (await open()).read(new AbortController().signal)).toMatchObject({ record: { epoch: 2, holder: null } })
}

it('openLease() has a lock file in a directory, beside whatever else the cluster keeps there', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ha-'))
  await passOn(() => openLease(pathToFileURL(root).href, 'cluster-1', settings()))
  expect(await readdir(join(root, 'cluster-1'))).toEqual(['leader'])
  await rm(root, { recursive: true })
})

it('openLease() has objects in S3', async () => {
  const toy = await startToyS3()
  const configuration = {
    's3.endpoint': toy.endpoint,
    's3.access-key': toy.accessKeyId,
    's3.secret-key': toy.secretAccessKey,
  }
  await passOn(() => openLease(`s3://${toy.bucket}/ha`, 'cluster-1', settings(configuration)))
  expect([...toy.objects.keys()].every((key) => key.startsWith('ha/cluster-1/leader/'))).toBe(true)
  await toy.close()
})

it('openLease() refuses what is no such place', async () => {
  await expect(openLease('hdfs://x/ha', 'c', settings())).rejects.toMatchObject({ code: 'TR-CHECKPOINT-006' })
})
