/** The real client of Kubernetes, over its wire, against an API server in memory. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiServer } from '../../operator/kube/api-server.suite.ts'
import { RESOURCES } from '../../operator/kube/objects.ts'
import { systemClock, systemSchedule } from '../core/clock.ts'
import type { Election, Leader, LeaseTiming, LostReason, Term } from './election.ts'
import { openLeaseClient } from './kubernetes-client.ts'
import { kubernetesLease } from './kubernetes-lease.ts'
import type { LeaseClient, LeaseObject } from './lease-client.ts'
import { openElection } from './lease-election.ts'

const NAMESPACE = 'jobs'
const NAME = 'fraud-jobmanager'
const KEY = { namespace: NAMESPACE, name: NAME }
/** Faster than in production, but a machine that is busy for a second changes nothing. */
const TIMING: LeaseTiming = { leaseMs: 2_500, renewDeadlineMs: 2_000, retryMs: 150 }

let server: ApiServer
let url: string
const opened: { close(): unknown }[] = []
const warnings: string[] = []

beforeEach(async () => {
  server = new ApiServer()
  url = await server.start()
  warnings.length = 0
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await server.stop()
})

const stored = () => server.get(RESOURCES.leases, KEY)

/** As the operator does it, or a person. */
function put(name: string, { metadata, spec }: { metadata?: object; spec: object }): void {
  server.put(RESOURCES.leases, { metadata: { ...metadata, namespace: NAMESPACE, name }, spec })
}

function openClient(): Promise<LeaseClient> {
  return openLeaseClient({
    namespace: NAMESPACE,
    name: NAME,
    labels: { 'tailrace.dev/deployment': 'fraud' },
    access: { server: url, namespace: 'default', credentials: async () => ({ headers: {}, tls: {} }) },
  })
}

async function openTestElection(): Promise<Election> {
  const { random } = Math
  const warn = (text: string) => warnings.push(text)
  const client = await openClient()
  const store = kubernetesLease({ client, schedule: systemSchedule, random, warn, silenceMs: TIMING.retryMs * 1.5 })
  const election = openElection({ store, timing: TIMING, clock: systemClock, schedule: systemSchedule, random, warn })
  opened.push(election)
  return election
}

/** A candidate whose events can be waited for. */
function campaign(election: Election, identity: string, startId = `start-of-${identity}`) {
  const elected: Term[] = []
  const lost: LostReason[] = []
  const candidacy = election.campaign(
    { identity, startId, address: `${identity}.jobs:6123` },
    { elected: (term) => elected.push(term), lost: (reason) => lost.push(reason) },
  )
  return { candidacy, elected, lost }
}

const until = (holds: () => unknown) => expect.poll(holds, { timeout: 10_000, interval: 10 }).toBeTruthy()
const signal = () => AbortSignal.timeout(5_000)
const fieldsOf = ({ metadata, spec }: LeaseObject) => ({ metadata, spec })

/** As the operator says it: all that it owns, by server-side apply. */
async function tell(annotations: Record<string, string>): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${NAME}?fieldManager=operator&force=true`
  const body = JSON.stringify({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...KEY, annotations },
  })
  const headers = { 'content-type': 'application/apply-patch+yaml' }
  const { ok } = await fetch(`${url}${path}`, { method: 'PATCH', headers, body })
  expect(ok).toBe(true)
}

describe('what a leader is told by its Lease', () => {
  it('is known when it is elected, told when it changes, and never written over', async () => {
    const { random } = Math
    const client = await openClient()
    const warn = (text: string) => warnings.push(text)
    put(NAME, { metadata: { annotations: { other: 'kept' } }, spec: {} })
    await tell({ 'tailrace.dev/parallelism': '2' })
    const store = kubernetesLease({ client, schedule: systemSchedule, random, warn })
    const election = openElection({ store, timing: TIMING, clock: systemClock, schedule: systemSchedule, random, warn })
    opened.push(election)
    const { directives } = store
    const told: unknown[] = []
    directives.watch((now) => told.push(now))
    const { elected, lost } = campaign(election, 'a')
    await until(() => elected.length === 1)
    expect(directives.current).toEqual({ parallelism: '2', restore: undefined })
    for (let n = 3; n <= 8; n++) {
      // At any moment, also between a read of the leader's and its write.
      await tell({ 'tailrace.dev/parallelism': String(n), 'tailrace.dev/restore': '{}' })
      await until(() => directives.current.parallelism === String(n))
      const { renewTime } = stored().spec
      await until(() => stored().spec.renewTime !== renewTime)
      expect(stored().metadata.annotations).toMatchObject({
        'tailrace.dev/parallelism': String(n),
        'tailrace.dev/restore': '{}',
        'tailrace.dev/leader-start': 'start-of-a',
        other: 'kept',
      })
    }
    expect(told).toEqual(
      [2, 3, 4, 5, 6, 7, 8].map((n) => ({ parallelism: String(n), restore: n === 2 ? undefined : '{}' })),
    )
    await election.close()
    expect(lost).toEqual([])
    const { metadata, spec } = stored()
    expect(metadata.annotations).toEqual({
      'tailrace.dev/parallelism': '8',
      'tailrace.dev/restore': '{}',
      other: 'kept',
    })
    expect(spec.holderIdentity).toBeUndefined()
  })
})

describe('openLeaseClient()', () => {
  it('reads, creates and replaces, and says what was not there or not the same', async () => {
    const client = await openClient()
    opened.push(client)
    expect(await client.get(signal())).toBeUndefined()
    expect(await client.replace({ metadata: { resourceVersion: '7' } }, signal())).toBeUndefined()
    const spec = { holderIdentity: 'a', leaseDurationSeconds: 5, acquireTime: '2027-01-02T03:04:05.678000Z' }
    const created = await client.create({ metadata: { annotations: { own: 'kept' } }, spec }, signal())
    expect(fieldsOf(created!)).toMatchObject({ metadata: { annotations: { own: 'kept' } }, spec })
    expect(await client.create({ metadata: {} }, signal())).toBeUndefined()
    expect(await client.get(signal())).toEqual(created)
    const replaced = await client.replace({ ...created!, spec: { ...spec, leaseTransitions: 3 } }, signal())
    expect(replaced?.spec).toEqual({ ...spec, leaseTransitions: 3 })
    expect(await client.replace(created!, signal())).toBeUndefined()
    expect(stored().metadata.labels).toEqual({ 'tailrace.dev/deployment': 'fraud' })
  })

  it('tells what the server refuses, in whose words, and when to come again', async () => {
    const client = await openClient()
    opened.push(client)
    server.fault = () => ({ status: 403 })
    await expect(client.get(signal())).rejects.toMatchObject({
      code: 'TR-HA-002',
      message: expect.stringMatching(
        /Cannot read the Lease "jobs\/fraud-jobmanager": the API server answered 403 \(as the test wants it\), wanted the rights get, watch and update/,
      ),
    })
    server.fault = () => ({ status: 429, retryAfter: 3 })
    await expect(client.get(signal())).rejects.toMatchObject({ code: 'TR-HA-002', retryAfterMs: 3_000 })
    server.fault = () => 'cutBefore'
    await expect(client.get(signal())).rejects.toMatchObject({ code: 'TR-HA-002' })
  })

  it('gives a request up when it is told to', async () => {
    const client = await openClient()
    opened.push(client)
    server.fault = () => 'hang'
    const abort = new AbortController()
    const asked = client.get(abort.signal)
    await until(() => server.requests.length === 1)
    abort.abort()
    await expect(asked).rejects.toMatchObject({ code: 'TR-HA-002' })
  })

  it('watches from a version, with bookmarks, until the server ends it or the version is gone', async () => {
    const client = await openClient()
    opened.push(client)
    const heard: unknown[] = []
    const watch = (version: string | undefined) =>
      client.watch(version, {
        changed: (object, version) => heard.push([object?.spec?.holderIdentity, version]),
        bookmark: (version) => heard.push(version),
        ended: ({ gone, error }) => heard.push(gone ? 'gone' : (error?.message ?? 'ended')),
      })
    put(NAME, { spec: { holderIdentity: 'a' } })
    put('another', { spec: { holderIdentity: 'x' } })
    watch(undefined)
    await until(() => server.watches === 1)
    put(NAME, { spec: { holderIdentity: 'b' } })
    server.bookmark()
    server.remove(RESOURCES.leases, KEY)
    await until(() => heard.length === 4)
    server.endWatches('peace')
    await until(() => heard.length === 5)
    expect(heard.splice(0)).toEqual([['a', '1001'], ['b', '1003'], '1003', [undefined, '1004'], 'ended'])
    watch('1003')
    await until(() => heard.length === 1)
    server.endWatches('gone')
    await until(() => heard.length === 2)
    expect(heard.splice(0)).toEqual([[undefined, '1004'], 'gone'])
    server.compact()
    watch('1001')
    await until(() => heard.length === 1)
    expect(heard.splice(0)).toEqual(['gone'])
    server.fault = () => ({ status: 403 })
    watch('1004')
    await until(() => heard.length === 1)
    expect(heard[0]).toMatch(/Cannot watch the Lease .* answered 403/)
  })
})

describe('an election by a Lease over HTTP', () => {
  it('takes the Lease that was made beforehand, keeps what else it says, and tells everyone where the leader is', async () => {
    const owner = [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'y' }]
    put(NAME, { metadata: { labels: { app: 'fraud' }, ownerReferences: owner }, spec: {} })
    const election = await openTestElection()
    const told: (Leader | undefined)[] = []
    election.watch((leader) => told.push(leader))
    const a = campaign(election, 'jobmanager-0', 'start-1')
    await until(() => told.some((leader) => leader?.epoch === 1))
    expect(a.elected.map(({ epoch }) => epoch)).toEqual([1])
    const lease = stored()
    expect(lease.metadata).toMatchObject({
      labels: { app: 'fraud' },
      ownerReferences: owner,
      annotations: { 'tailrace.dev/leader-start': 'start-1', 'tailrace.dev/leader-address': 'jobmanager-0.jobs:6123' },
    })
    expect(lease.spec).toMatchObject({ holderIdentity: 'jobmanager-0', leaseDurationSeconds: 3, leaseTransitions: 1 })
    const leader = { identity: 'jobmanager-0', startId: 'start-1', address: 'jobmanager-0.jobs:6123', epoch: 1 }
    expect(await election.leader()).toEqual(leader)
    expect(told.at(-1)).toEqual(leader)
    // It is renewed.
    const { renewTime } = lease.spec
    await until(() => stored().spec.renewTime > renewTime)
    expect(a.candidacy.term?.isLeaderNow()).toBe(true)
  })

  it('elects one of several at once, another when it is released, and the same identity with a new epoch', async () => {
    put(NAME, { spec: {} })
    const elections = await Promise.all(['a', 'b', 'c'].map(openTestElection))
    const all = elections.map((election, i) => ({ election, ...campaign(election, `pod-${i}`) }))
    await until(() => all.some(({ elected }) => elected.length > 0))
    const first = all.find(({ elected }) => elected.length > 0)!
    await first.candidacy.release()
    expect(first.candidacy.term).toBeUndefined()
    const others = all.filter((one) => one !== first)
    await until(() => others.some(({ elected }) => elected.length > 0))
    const second = others.find(({ elected }) => elected.length > 0)!
    expect(second.elected[0]!.epoch).toBe(2)
    expect(first.lost).toEqual([])
    // Its container is started anew, with the Lease still in its name.
    const identity = stored().spec.holderIdentity
    const again = campaign(await openTestElection(), identity, 'another-start')
    await until(() => again.elected.length === 1)
    expect(again.elected[0]!.epoch).toBe(3)
    await until(() => second.lost.length === 1)
    expect(second.lost[0]).toMatchObject({ kind: 'deposed', text: expect.stringContaining('epoch 3') })
    expect(() => second.elected[0]!.refuseUnlessLeader('start job 7')).toThrow(/Cannot start job 7: .* epoch 2/)
    // The one that was deposed still lives, and does not take it back from the later start in its name.
    for (let renewals = 0; renewals < 2; renewals++) {
      const { renewTime } = stored().spec
      await until(() => stored().spec.renewTime > renewTime)
    }
    expect([again.elected.length, again.lost.length, second.elected.length]).toEqual([1, 0, 1])
  })

  it('goes on leading through errors, lost answers and a deleted Lease', async () => {
    put(NAME, { spec: {} })
    const a = campaign(await openTestElection(), 'a')
    await until(() => a.elected.length === 1)
    let faults = 0
    for (const fault of [{ status: 500 }, 'cutAfter', { status: 409 }, 'cutBefore', { delayMs: 50 }] as const) {
      let given = false
      server.fault = ({ verb }) => {
        if (verb !== 'update' || given) return undefined
        given = true
        faults++
        return fault
      }
      await until(() => given)
      const version = stored().metadata.resourceVersion
      await until(() => stored().metadata.resourceVersion > version)
    }
    expect(faults).toBe(5)
    server.remove(RESOURCES.leases, KEY)
    await until(() => stored()?.spec.leaseTransitions === 1)
    expect(a.lost).toEqual([])
    expect(a.elected).toHaveLength(1)
  })

  it('stops by itself when nothing is answered, and another leads once its own watch has seen no renewal', async () => {
    put(NAME, { spec: {} })
    const a = campaign(await openTestElection(), 'a')
    await until(() => a.elected.length === 1)
    const b = campaign(await openTestElection(), 'b')
    await until(() => server.watches === 2)
    // Only b gets through: it creates nothing and replaces what has another's name.
    const own = () => stored().spec.holderIdentity === 'a'
    let lostFirst = false
    server.fault = ({ verb }) => (verb === 'update' && own() && a.lost.length === 0 ? 'hang' : undefined)
    await until(() => a.lost.length === 1)
    lostFirst = b.elected.length === 0
    expect(a.lost[0]!.kind).toBe('notRenewed')
    expect(lostFirst).toBe(true)
    await until(() => a.elected.length === 2 || b.elected.length === 1)
    expect([...a.elected.slice(1), ...b.elected][0]!.epoch).toBe(2)
    expect(warnings.join('\n')).toMatch(/no answer within 925 ms/)
  })

  it('hears of a change over watches that are cut, silent or too old', async () => {
    put(NAME, { spec: {} })
    const onlooker = await openTestElection()
    const told: (Leader | undefined)[] = []
    onlooker.watch((leader) => told.push(leader))
    await until(() => told.length === 1)
    let epoch = 10
    for (const how of ['cut', 'deaf', 'gone', 'peace'] as const) {
      await until(() => server.watches > 0)
      server.endWatches(how)
      server.compact()
      epoch++
      put(NAME, { spec: { holderIdentity: 'x', leaseDurationSeconds: 60, leaseTransitions: epoch } })
      await until(() => told.at(-1)?.epoch === epoch)
    }
    put(NAME, { spec: { leaseTransitions: epoch } })
    await until(() => told.at(-1) === undefined)
  })

  it('says once what it is not allowed to', async () => {
    server.fault = () => ({ status: 403 })
    campaign(await openTestElection(), 'a')
    await until(() => server.requests.length > 4)
    const reading = warnings.filter((text) => /Cannot read the Lease/.test(text))
    // The candidate, and its watch.
    expect(reading).toHaveLength(2)
  })
})
