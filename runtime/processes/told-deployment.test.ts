import { expect, it } from 'vitest'
import { PARALLELISM_ANNOTATION, RESTORE_ANNOTATION, SeenDirectives } from '../ha/directives.ts'
import { ToldDeployment } from './told-deployment.ts'

const restore = (generation: number, from = 'latest') => ({
  [RESTORE_ANNOTATION]: JSON.stringify({ generation, from }),
})

function told(generation?: number) {
  const directives = new SeenDirectives('the Lease "jobs/fraud"')
  const log: string[] = []
  const parallelism: unknown[] = []
  const deployment = new ToldDeployment({
    directives,
    generation,
    setParallelism: (one) => parallelism.push(one),
    onWait: async () => void log.push('waits'),
    log: (text) => log.push(text),
  })
  return { directives, log, parallelism, deployment }
}

it('a JobManager of no generation begins with what it is told, if anything', async () => {
  const { deployment, directives } = told()
  expect(await deployment.restore()).toBeUndefined()
  directives.see(restore(3))
  expect(await deployment.restore()).toEqual({ generation: 3, from: 'latest' })
})

it('one of a newer generation waits for its directive', async () => {
  const { deployment, directives, log } = told(4)
  directives.see(restore(3))
  let begun: unknown
  const waiting = deployment.restore().then((one) => {
    begun = one
  })
  await Promise.resolve()
  expect(begun).toBeUndefined()
  expect(log).toEqual([expect.stringContaining('Waits to be told what generation 4'), 'waits'])
  directives.see(restore(4, 'empty'))
  await waiting
  expect(begun).toEqual({ generation: 4, from: 'empty' })
})

it('one of an older generation begins nothing', async () => {
  const { deployment, directives } = told(4)
  directives.see(restore(5))
  await expect(deployment.restore()).rejects.toMatchObject({
    code: 'TR-HA-009',
    message: expect.stringContaining('is of generation 4, and the Lease "jobs/fraud" tells of 5'),
  })
})

it('what cannot be read begins nothing, also when it comes late', async () => {
  const { deployment, directives } = told(4)
  const waiting = deployment.restore()
  directives.see({ [RESTORE_ANNOTATION]: '{' })
  await expect(waiting).rejects.toMatchObject({ code: 'TR-HA-008' })
})

it('the parallelism follows, and stays where nothing or nonsense is told', () => {
  const { deployment, directives, parallelism, log } = told()
  directives.see({ [PARALLELISM_ANNOTATION]: '2' })
  const stop = deployment.followParallelism()
  for (const text of ['3', 'many', 'many', '0', '3', '1']) directives.see({ [PARALLELISM_ANNOTATION]: text })
  directives.see({})
  stop()
  directives.see({ [PARALLELISM_ANNOTATION]: '9' })
  expect(parallelism).toEqual([2, 3, 1])
  expect(log).toEqual([expect.stringContaining('it is "many"'), expect.stringContaining('it is "0"')])
})
