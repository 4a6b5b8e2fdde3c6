import { expect, it } from 'vitest'
import { clusterClient } from './cluster-client.ts'

const standby = () =>
  new Response(JSON.stringify({ errors: ['Cannot answer GET /jobs: this JobManager stands by, nobody leads yet'] }), {
    status: 503,
    headers: { 'retry-after': '1' },
  })

function client(answers: (() => Response)[], awaitLeaderMs: number) {
  let asked = 0
  const slept: number[] = []
  return {
    slept,
    asked: () => asked,
    client: clusterClient('http://jobs:8081', {
      request: async () => answers[Math.min(asked++, answers.length - 1)]!(),
      awaitLeaderMs,
      sleep: async (ms) => void slept.push(ms),
    }),
  }
}

it('asks again where a JobManager stands by, until one leads', async () => {
  const one = client([standby, standby, () => Response.json({ jobs: [] })], 30_000)
  expect(await one.client.get('/jobs')).toEqual({ jobs: [] })
  expect(one.slept).toEqual([500, 500])
})

it('gives up in time, with what the one that stands by says', async () => {
  const one = client([standby], 2000)
  await expect(one.client.get('/jobs')).rejects.toThrow('this JobManager stands by, nobody leads yet')
  expect(one.asked()).toBe(5)
})

it('does not ask a leader again that refuses', async () => {
  const one = client([() => Response.json({ errors: ['busy'] }, { status: 503 })], 30_000)
  await expect(one.client.get('/jobs')).rejects.toThrow('busy')
  expect(one.asked()).toBe(1)
})
