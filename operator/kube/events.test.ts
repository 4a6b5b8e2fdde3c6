import { describe, expect, it } from 'vitest'
import { SeededTime } from '../../runtime/checkpoint/seeded-time.suite.ts'
import { ApiServer } from './api-server.suite.ts'
import { KubeClient } from './client.ts'
import { EventRecorder, type News } from './events.ts'
import { RESOURCES } from './objects.ts'

const { events, services } = RESOURCES
const ABOUT = { metadata: { namespace: 'jobs', name: 'fraud', uid: 'u-1', resourceVersion: '7' } }
const NEWS: News = { type: 'Warning', reason: 'SavepointFailed', action: 'TakeSavepoint', note: 'the disk is full' }

async function inWorld(
  story: (world: { time: SeededTime; server: ApiServer; recorder: EventRecorder; warnings: string[] }) => Promise<void>,
): Promise<void> {
  const time = new SeededTime(1)
  const { schedule, random } = time
  const server = new ApiServer({ clock: time, schedule })
  const client = new KubeClient({ transport: server.transport(() => 5), schedule, random })
  const warnings: string[] = []
  const recorder = new EventRecorder({
    client,
    reportingController: 'tailrace.dev/operator',
    reportingInstance: 'operator-0',
    clock: time,
    schedule,
    warn: (text) => warnings.push(text),
  })
  const done = story({ time, server, recorder, warnings })
  await time.run(done)
  await done
}

describe('EventRecorder', () => {
  it('writes what kubectl describe shows', () =>
    inWorld(async ({ server, recorder }) => {
      recorder.record(services, ABOUT, NEWS)
      recorder.record(services, { metadata: { name: 'node' } }, { ...NEWS, type: 'Normal', note: 'ü'.repeat(2_000) })
      await recorder.flush()
      const [other, event] = server.list(events)
      expect(event).toMatchObject({
        ...NEWS,
        metadata: { namespace: 'jobs', name: expect.stringMatching(/^fraud\.[0-9a-f]+$/) },
        eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
        reportingController: 'tailrace.dev/operator',
        reportingInstance: 'operator-0',
        regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'jobs', name: 'fraud', uid: 'u-1' },
      })
      expect(other.metadata.namespace).toBe('default')
      expect(Buffer.byteLength(other.note)).toBeLessThanOrEqual(1_024)
    }))

  it('counts what comes again in one Event, and writes the count now and then', () =>
    inWorld(async ({ time, server, recorder }) => {
      for (let i = 0; i < 600; i++) {
        recorder.record(services, ABOUT, NEWS)
        await time.wait(100)
      }
      expect(server.requests.length).toBeLessThan(9)
      await time.wait(20_000)
      expect(server.list(events)).toMatchObject([{ series: { count: 600, lastObservedTime: expect.any(String) } }])
      // Other news, and the same after a while, are others.
      recorder.record(services, ABOUT, { ...NEWS, note: 'the disk is gone' })
      await time.wait(7 * 60_000)
      recorder.record(services, ABOUT, NEWS)
      await recorder.flush()
      expect(server.list(events)).toHaveLength(3)
    }))

  it('goes on in another Event when the server has forgotten the first', () =>
    inWorld(async ({ time, server, recorder, warnings }) => {
      recorder.record(services, ABOUT, NEWS)
      await recorder.flush()
      server.remove(events, server.list(events)[0].metadata)
      recorder.record(services, ABOUT, NEWS)
      await time.wait(20_000)
      expect(server.list(events)).toMatchObject([{ note: NEWS.note }])
      recorder.record(services, ABOUT, NEWS)
      await time.wait(20_000)
      expect(server.list(events)).toMatchObject([{ series: { count: 3 } }])
      expect(warnings).toEqual([])
    }))

  it('limits an object that has much to say, and says what was left out', () =>
    inWorld(async ({ time, server, recorder, warnings }) => {
      for (let i = 0; i < 40; i++) recorder.record(services, ABOUT, { ...NEWS, note: `no ${i}` })
      recorder.record(services, { metadata: { ...ABOUT.metadata, uid: 'u-2' } }, NEWS)
      await recorder.flush()
      expect(server.list(events)).toHaveLength(26)
      expect(recorder.dropped).toBe(15)
      expect(warnings.at(-1)).toContain('15 in all): Service "jobs/fraud" has too much to say')
      await time.wait(130_000)
      for (let i = 40; i < 50; i++) recorder.record(services, ABOUT, { ...NEWS, note: `no ${i}` })
      await recorder.flush()
      expect(server.list(events)).toHaveLength(28)
    }))

  it('tells what the server does not take, and throws nothing', () =>
    inWorld(async ({ server, recorder, warnings }) => {
      server.fault = () => ({ status: 403 })
      recorder.record(services, ABOUT, NEWS)
      await recorder.flush()
      expect(recorder.dropped).toBe(1)
      expect(warnings).toEqual([expect.stringContaining('Cannot create the Event "jobs/fraud.')])
    }))
})
