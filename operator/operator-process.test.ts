/** The operator's process against an API server in memory, with a controller that notes what it sees. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock, systemSchedule } from '../runtime/core/clock.ts'
import { ApiServer } from './kube/api-server.suite.ts'
import type { OpenController } from './kube/controller.ts'
import { keyOf, RESOURCES } from './kube/objects.ts'
import { OperatorProcess, type OperatorSettings } from './operator-process.ts'

const { configMaps, leases } = RESOURCES
const LEASE = { namespace: 'tailrace', name: 'tailrace-operator' }
const TIMING = { leaseMs: 2_500, renewDeadlineMs: 2_000, retryMs: 150 }

let server: ApiServer
let lines: string[]
let seen: string[]
const running: OperatorProcess[] = []

beforeEach(() => {
  server = new ApiServer()
  lines = []
  seen = []
})
afterEach(async () => {
  server.fault = () => undefined
  for (const one of running.splice(0)) await one.stop('the test is over')
})

/** Marks each ConfigMap with its own name. */
function marker(identity: string, workMs = 0): OpenController {
  return ({ client, reflect, queue: open, clock: _, schedule }) => {
    const reflector = reflect(configMaps)
    const queue = open('marker', async (key) => {
      const object = reflector.cache.get(key)
      if (object === undefined || object.data?.by === identity) return
      await new Promise<void>((resolve) => void schedule(workMs, resolve))
      await client.apply(configMaps, {
        metadata: { namespace: object.metadata.namespace!, name: object.metadata.name },
        data: { by: identity },
      })
      seen.push(`${identity} ${key}`)
    })
    let stopListening = () => {}
    return {
      name: 'marker',
      start: () => {
        const add = ({ metadata }: { metadata: { namespace?: string; name: string } }) => queue.add(keyOf(metadata))
        stopListening = reflector.cache.listen({ changed: add, deleted: add })
      },
      stop: async (graceMs) => {
        stopListening()
        await queue.drain(graceMs)
      },
    }
  }
}

async function start(identity: string, workMs = 0, settings: Partial<OperatorSettings> = {}): Promise<OperatorProcess> {
  const process = await OperatorProcess.start({
    transport: server.transport(),
    settings: {
      namespaces: undefined,
      labelSelector: undefined,
      concurrency: 4,
      resyncMs: 60_000,
      election: { namespace: LEASE.namespace, lease: LEASE.name, timing: TIMING },
      healthPort: '0',
      metricsPort: '0',
      drainMs: 5_000,
      ...settings,
    },
    controllers: [marker(identity, workMs)],
    identity,
    clock: systemClock,
    schedule: systemSchedule,
    random: Math.random,
    log: (text) => lines.push(`${identity}: ${text}`),
  })
  running.push(process)
  return process
}

const put = (name: string) => server.put(configMaps, { metadata: { namespace: 'jobs', name } })
const ask = async (port: number, path: string) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: response.status, text: await response.text() }
}
const until = (holds: () => unknown) => expect.poll(holds, { timeout: 10_000, interval: 10 }).toBeTruthy()

describe('OperatorProcess', () => {
  it('works when it leads, stands by when another does, and takes over when that one ends', async () => {
    put('early')
    const a = await start('a', 200)
    await until(() => a.isLeader)
    const b = await start('b')
    await until(() => seen.includes('a jobs/early'))
    await until(() => lines.some((line) => line.startsWith('b: Stands by')))
    await until(() => b.reflectors.get('configmaps')?.isSynced)
    expect([a.role, b.role]).toEqual(['leader', 'standby'])
    // What was begun comes to its end before the Lease is released.
    put('late')
    await until(() => a.queues.get('marker')!.active === 1)
    await a.stop('it got SIGTERM')
    expect(seen).toContain('a jobs/late')
    expect(await a.ended).toEqual({ reason: 'it got SIGTERM', deposed: false })
    await until(() => b.isLeader)
    await until(() => seen.includes('b jobs/late') && seen.includes('b jobs/early'))
    expect(server.get(leases, LEASE).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 2 })
    await b.stop('it got SIGTERM')
    expect(server.get(leases, LEASE).spec.holderIdentity).toBeUndefined()
  })

  it('answers probes and Prometheus', async () => {
    let denied = true
    server.fault = ({ verb, plural }) =>
      denied && verb === 'list' && plural === 'configmaps' ? { status: 403 } : undefined
    const a = await start('a')
    await until(() => lines.some((line) => line.includes('Cannot list the configmaps')))
    for (const path of ['/livez', '/healthz']) expect((await ask(a.healthPort, path)).status).toBe(200)
    expect(await ask(a.healthPort, '/readyz')).toMatchObject({
      status: 503,
      text: expect.stringContaining('configmaps: not listed yet'),
    })
    expect(a.isLeader).toBe(false)
    denied = false
    put('x')
    await until(() => seen.length === 1)
    expect(await ask(a.healthPort, '/readyz')).toMatchObject({ status: 200, text: expect.stringContaining('leader') })
    expect((await ask(a.healthPort, '/other')).status).toBe(404)
    const { text } = await ask(a.metricsPort, '/metrics')
    for (const line of [
      'tailrace_operator_leader 1',
      'tailrace_operator_cache_objects{resource="configmaps"} 1',
      'tailrace_operator_queue_depth{controller="marker"} 0',
      'tailrace_operator_events_dropped 0',
    ])
      expect(text).toContain(`${line}\n`)
    expect(text).toMatch(/tailrace_operator_kube_requests_total\{verb="apply",resource="configmaps",code="200"\} 1/)
    expect(text).toMatch(/tailrace_operator_reconcile_seconds_count\{controller="marker"\} [1-9]/)
  })

  it('ends at once, and says so, when it leads no more', async () => {
    const a = await start('a')
    await until(() => a.isLeader)
    server.edit(leases, LEASE, { spec: { holderIdentity: 'somebody', leaseTransitions: 9 } })
    expect(await a.ended).toMatchObject({ deposed: true, reason: expect.stringContaining('"somebody" leads') })
  })

  it('leads at once when it is the only one, and looks at its namespaces only', async () => {
    put('x')
    server.put(configMaps, { metadata: { namespace: 'other', name: 'y' } })
    const a = await start('a', 0, { election: undefined, namespaces: ['other'] })
    await until(() => seen.length === 1)
    expect([a.isLeader, seen]).toEqual([true, ['a other/y']])
    expect(server.list(leases)).toEqual([])
  })
})
