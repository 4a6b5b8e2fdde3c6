import { expect, it } from 'vitest'
import { startStandbyRest } from './standby.ts'

it('a JobManager that stands by answers everything but its liveness with 503 and who leads', async () => {
  let leader: string | undefined
  const rest = await startStandbyRest({ port: 0, host: '127.0.0.1', leader: () => leader })
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${rest.port}${path}`, { method })
    return { status: response.status, again: response.headers.get('retry-after'), body: await response.json() }
  }
  expect(await ask('/jobs')).toEqual({
    status: 503,
    again: '1',
    body: {
      errors: ['Cannot answer GET /jobs: this JobManager stands by, nobody leads yet; wanted is the leader'],
    },
  })
  leader = '"jm-a" at 10.0.0.7:6123'
  const { body } = await ask('/jars/x/run', 'POST')
  expect(body.errors[0]).toContain('"jm-a" at 10.0.0.7:6123 leads')
  expect(await ask('/healthz')).toEqual({ status: 200, again: null, body: { status: 'ok' } })
  expect((await ask('/readyz')).status).toBe(503)
  await rest.close()
  await expect(ask('/jobs')).rejects.toThrow()
})
