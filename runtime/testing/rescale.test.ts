/** Jobs that get another parallelism while they run: nothing is lost, nothing doubled, and slots that stay serve on. */
import { describe, expect, it } from 'vitest'
import { countsOf, runCounting, SUMS, until } from './counting-job.suite.ts'

const options = { 'jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling': '0 ms' }

describe('a job that is rescaled', () => {
  it.each([
    ['values of any kind', {}],
    ['declared rows', { type: SUMS }],
  ])('counts every record once: %s', async (_, settings) => {
    const seen: number[][] = []
    let mayEnd = false
    const { error, job, results } = await runCounting(options, {
      ...settings,
      keys: 50,
      slots: 4,
      mayEnd: () => mayEnd,
      async during(cluster, jobId) {
        for (const parallelism of [4, 1, 3]) {
          const { plan, vertices } = cluster.job(jobId)!
          const running = () =>
            cluster.job(jobId)!.vertices.every(({ tasks, parallelism: n }) => tasks.RUNNING + tasks.FINISHED === n)
          await until(running)
          const wanted = Object.fromEntries(
            vertices.map(({ id }) => [id, { lowerBound: parallelism, upperBound: parallelism }]),
          )
          expect(plan.vertices).toHaveLength(2)
          cluster.view.setRequirements(jobId, wanted)
          await until(() => cluster.job(jobId)!.vertices.every((vertex) => vertex.parallelism === parallelism))
          await until(running)
          seen.push(cluster.job(jobId)!.vertices.map((vertex) => vertex.parallelism))
        }
        mayEnd = true
      },
    })
    expect(error).toBeUndefined()
    expect(results).toEqual(countsOf(50))
    expect(seen).toEqual([
      [4, 4],
      [1, 1],
      [3, 3],
    ])
    expect([job.numRescales, job.numRestarts, job.exceptions]).toEqual([3, 0, []])
  })

  it('goes on as it is when it cannot have what is wanted, and takes it when it can', async () => {
    let mayEnd = false
    const { error, job, results } = await runCounting(options, {
      keys: 7,
      mayEnd: () => mayEnd,
      async during(cluster, jobId) {
        const { vertices } = cluster.job(jobId)!
        const wanted = (n: number) =>
          Object.fromEntries(vertices.map(({ id }) => [id, { lowerBound: 1, upperBound: n }]))
        await until(() => cluster.job(jobId)!.vertices.every(({ tasks }) => tasks.RUNNING === 2))
        cluster.view.setRequirements(jobId, wanted(5))
        expect(() => cluster.view.setRequirements(jobId, wanted(1000))).toThrow('bounds from 1 to 128')
        expect(cluster.view.requirements(jobId)).toEqual(wanted(5))
        cluster.view.setRequirements(jobId, wanted(1))
        await until(() => cluster.job(jobId)!.vertices.every((vertex) => vertex.parallelism === 1))
        mayEnd = true
      },
    })
    expect(error).toBeUndefined()
    expect(results).toEqual(countsOf(7))
    expect(job.numRescales).toBe(1)
  })
})
