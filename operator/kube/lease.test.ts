/** The operator's election over its own client, by seeds. */
import { describe, expect, it } from 'vitest'
import { SeededTime } from '../../runtime/checkpoint/seeded-time.suite.ts'
import { ApiServer } from './api-server.suite.ts'
import { KubeClient } from './client.ts'
import { makeLease, openOperatorElection } from './lease.ts'
import { RESOURCES } from './objects.ts'

const KEY = { namespace: 'tailrace', name: 'tailrace-operator' }

async function inWorld(
  story: (world: {
    time: SeededTime
    server: ApiServer
    log: string[]
    candidate(name: string): ReturnType<typeof openOperatorElection>
  }) => Promise<void>,
  seed = 1,
): Promise<void> {
  const time = new SeededTime(seed)
  const { schedule, random } = time
  const server = new ApiServer({ clock: time, schedule })
  const log: string[] = []
  const startMs = time.monotonic()
  const candidate = (name: string) => {
    const client = new KubeClient({ transport: server.transport(() => time.below(10)), schedule, random })
    const election = openOperatorElection({ ...KEY, client, clock: time, schedule, random, warn: () => {} })
    const note = (what: string) => log.push(`${Math.floor((time.monotonic() - startMs) / 1000)} ${name} ${what}`)
    void makeLease(client, KEY).then(() =>
      election.campaign(
        { identity: name, startId: `start-of-${name}`, address: name },
        { elected: ({ epoch }) => note(`leads ${epoch}`), lost: ({ kind }) => note(kind) },
      ),
    )
    return election
  }
  const done = story({ time, server, log, candidate })
  await time.run(done)
  await done
}

describe('openOperatorElection()', () => {
  it('hands over at once when the leader ends in peace', () =>
    inWorld(async ({ time, server, log, candidate }) => {
      const a = candidate('a')
      await time.wait(1_000)
      const b = candidate('b')
      await time.wait(60_000)
      expect(log).toEqual(['0 a leads 1'])
      expect(server.get(RESOURCES.leases, KEY)).toMatchObject({
        spec: { holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 1 },
      })
      const beforeMs = time.monotonic()
      await a.close()
      await time.wait(1_000)
      expect(log).toEqual(['0 a leads 1', '61 b leads 2'])
      expect(time.monotonic() - beforeMs).toBeLessThan(2_000)
      await b.close()
      expect(server.get(RESOURCES.leases, KEY).spec.holderIdentity).toBeUndefined()
    }))

  it('is taken over within 18 s when the leader cannot be reached, who has stopped by then', () =>
    inWorld(async ({ time, server, log, candidate }) => {
      candidate('a')
      await time.wait(10_000)
      candidate('b')
      await time.wait(10_000)
      const { holderIdentity } = server.get(RESOURCES.leases, KEY).spec
      expect(holderIdentity).toBe('a')
      const asked = server.requests.length
      server.fault = ({ verb, body }) => (verb === 'update' && body.spec.holderIdentity === 'a' ? 'hang' : undefined)
      await time.wait(18_000)
      expect(server.requests.length).toBeGreaterThan(asked)
      const [, lost, led] = log
      expect(lost).toMatch(/ a notRenewed$/)
      expect(led).toMatch(/ b leads 2$/)
      expect(Number.parseInt(led, 10)).toBeLessThanOrEqual(38)
    }))

  it('says what is denied', () =>
    inWorld(async ({ time, server }) => {
      server.fault = () => ({ status: 403 })
      const warnings: string[] = []
      const { schedule, random } = time
      const client = new KubeClient({ transport: server.transport(), schedule, random })
      const warn = (text: string) => warnings.push(text)
      const election = openOperatorElection({ ...KEY, client, clock: time, schedule, random, warn })
      election.campaign({ identity: 'a', startId: 'a', address: 'a' }, { elected: () => {}, lost: () => {} })
      await time.wait(20_000)
      expect(warnings).toContainEqual(
        expect.stringContaining('Cannot get the Lease "tailrace/tailrace-operator": the API server answered 403'),
      )
      await election.close()
    }))
})
