import { describe, expect, it } from 'vitest'
import { backOffMs, retry } from './retry.ts'
import { SeededTime } from './seeded-time.suite.ts'

describe('backOffMs()', () => {
  it.each([
    [1, 0, 25],
    [1, 1, 50],
    [2, 0, 50],
    [3, 0.5, 150],
    [7, 1, 3_200],
    [8, 0, 2_500],
    [8, 1, 5_000],
    [60, 1, 5_000],
  ])('after %i failures, with %f by chance, is %i ms', (failures, random, ms) => {
    expect(backOffMs(failures, random)).toBe(ms)
  })
})

describe('retry()', () => {
  const rules = { attemptsMax: 4, firstWaitMs: 10, waitMaxMs: 1_000 }
  async function run(answers: (string | Error)[], passes = true) {
    const time = new SeededTime(1)
    const triesAtMs: number[] = []
    const startMs = time.now()
    const done = retry(
      async () => {
        triesAtMs.push(time.now() - startMs)
        const answer = answers.shift()!
        if (answer instanceof Error) throw answer
        return answer
      },
      { rules, random: () => 1, schedule: time.schedule, passes: () => passes },
    ).catch((error) => `threw ${error.message}`)
    await time.run(done)
    return { result: await done, triesAtMs }
  }
  const failure = (n: number) => new Error(String(n))

  it('gives what the first success gives, with growing waits before', async () => {
    expect(await run([failure(1), failure(2), 'yes'])).toEqual({ result: 'yes', triesAtMs: [0, 10, 30] })
  })

  it('throws the last failure when there were enough', async () => {
    expect(await run([1, 2, 3, 4, 5].map(failure))).toEqual({ result: 'threw 4', triesAtMs: [0, 10, 30, 70] })
  })

  it('throws at once what does not pass', async () => {
    expect(await run([failure(1), 'yes'], false)).toEqual({ result: 'threw 1', triesAtMs: [0] })
  })
})
