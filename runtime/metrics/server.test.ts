import { expect, test } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { isTailraceError } from '../core/errors.ts'
import { FakeCluster } from '../rest/fake-cluster.suite.ts'
import { parsePorts } from './listen.ts'
import { MetricsReader } from './reader.ts'
import { startMetricsServer } from './server.ts'

const source = () => {
  const clock = new ManualClock(1000)
  const cluster = new FakeCluster(clock)
  cluster.submit()
  return new MetricsReader(cluster, clock)
}

test('GET /metrics, like any path, answers in the text format', async () => {
  const server = await startMetricsServer({ source: source(), port: 0 })
  try {
    for (const path of ['/metrics', '/']) {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(await response.text()).toMatch(/^flink_jobmanager_taskSlotsTotal\{host="[^"]+"\} 2$/m)
    }
    const refused = await fetch(`http://127.0.0.1:${server.port}/metrics`, { method: 'POST' })
    expect(refused.status).toBe(405)
  } finally {
    await server.close()
  }
})

test('probes tell that the process lives, and whether it can work', async () => {
  let why: string | undefined
  const server = await startMetricsServer({ source: source(), port: 0, unready: () => why })
  try {
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`)
      return [response.status, await response.text()]
    }
    expect(await ask('/readyz')).toEqual([200, 'ok\n'])
    why = 'it ends'
    expect([await ask('/readyz'), await ask('/healthz')]).toEqual([
      [503, 'it ends\n'],
      [200, 'ok\n'],
    ])
  } finally {
    await server.close()
  }
})

test('a taken port is an error that names it, and a range goes on to the next', async () => {
  const first = await startMetricsServer({ source: source(), port: 0 })
  try {
    const failed = await startMetricsServer({ source: source(), port: first.port }).catch((error: unknown) => error)
    expect(isTailraceError(failed) && failed.code).toBe('TR-CLUSTER-003')
    expect(String(failed)).toContain(`port ${first.port}`)
    expect(String(failed)).toContain('another process listens there')
    const second = await startMetricsServer({ source: source(), port: `${first.port},0` })
    expect(second.port).not.toBe(first.port)
    await second.close()
  } finally {
    await first.close()
  }
})

test('parsePorts() reads numbers, lists and ranges, and refuses the rest', () => {
  expect(parsePorts(8081)).toEqual([8081])
  expect(parsePorts('9250-9252')).toEqual([9250, 9251, 9252])
  expect(parsePorts('9249, 9300-9301')).toEqual([9249, 9300, 9301])
  for (const wrong of ['', 'http', '70000', '9260-9250', '-1', '1.5']) {
    expect(() => parsePorts(wrong)).toThrow(`Cannot use the port "${wrong}"`)
  }
})
