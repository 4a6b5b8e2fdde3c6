import { expect, it } from 'vitest'
import { flightPlan, VERTEX } from '../rest/fake-cluster.suite.ts'
import { Rescales } from './rescales.ts'
import { requirementsFor } from './scheduler/requirements.ts'

const plan = flightPlan('flights')
const all = (parallelism: number) =>
  Object.fromEntries(Object.entries(requirementsFor(plan, parallelism)).map(([id, { upperBound }]) => [id, upperBound]))
/** Each as `cause: state reason`. */
const story = (rescales: Rescales) =>
  rescales.views().map(({ cause, end }) => `${cause}: ${end === undefined ? 'goes on' : `${end.state} ${end.reason}`}`)

function started(max = 5): Rescales {
  let ids = 0
  const rescales = new Rescales({ max, newId: () => `id-${++ids}` })
  rescales.begin('INITIAL_SCHEDULE', plan, requirementsFor(plan, 2), 100)
  rescales.entered('waiting for resources', 110)
  rescales.entered('executing', 120)
  rescales.runs(all(2), 150)
  return rescales
}

it('tells of a wish from the old parallelism to the new, with the states between', () => {
  const rescales = started()
  rescales.begin('UPDATE_REQUIREMENT', plan, requirementsFor(plan, 4), 200)
  // A task of the attempt before, while the checkpoint is taken.
  rescales.runs(all(2), 205)
  rescales.entered('restarting', 210)
  rescales.entered('executing', 230)
  rescales.stays(231)
  rescales.runs(all(4), 260)
  expect(story(rescales)).toEqual(['INITIAL_SCHEDULE: COMPLETED SUCCEEDED', 'UPDATE_REQUIREMENT: COMPLETED SUCCEEDED'])
  const wish = rescales.views()[1]!
  expect(wish).toMatchObject({ number: 2, startMs: 200, end: { atMs: 260 } })
  expect(wish.requirementsId).not.toBe(rescales.views()[0]!.requirementsId)
  expect(wish.states).toEqual([
    { name: 'Restarting', fromMs: 210, untilMs: 230 },
    { name: 'Executing', fromMs: 230, untilMs: 260 },
  ])
  expect(wish.vertices.find(({ id }) => id === VERTEX.source)).toMatchObject({ before: 2, after: 4 })
  // The program gave it a parallelism of its own.
  expect(wish.vertices.find(({ id }) => id === VERTEX.top)).toMatchObject({ before: 1, after: 1 })
})

it('ends a wish that is replaced, changes nothing, or ends with the job, and says why', () => {
  const rescales = started(9)
  const wish = () => rescales.begin('UPDATE_REQUIREMENT', plan, requirementsFor(plan, 4), 200)
  wish()
  wish()
  rescales.stays(210)
  wish()
  rescales.begin('NEW_RESOURCE_AVAILABLE', plan, requirementsFor(plan, 4), 215)
  rescales.begin('RECOVERABLE_FAILOVER', plan, requirementsFor(plan, 4), 220)
  rescales.jobEnds('CANCELED', 230)
  expect(story(rescales).slice(1)).toEqual([
    'UPDATE_REQUIREMENT: IGNORED RESOURCE_REQUIREMENTS_UPDATED',
    'UPDATE_REQUIREMENT: IGNORED NO_RESOURCES_OR_PARALLELISMS_CHANGE',
    'UPDATE_REQUIREMENT: FAILED JOB_FAILOVER_RESTARTING',
    'RECOVERABLE_FAILOVER: IGNORED JOB_CANCELED',
  ])
  expect(rescales.counts).toEqual({ COMPLETED: 1, FAILED: 1, IGNORED: 3 })
})

it('remembers as many as it may, and counts all', () => {
  const rescales = started(2)
  for (let i = 0; i < 5; i++) rescales.begin('UPDATE_REQUIREMENT', plan, requirementsFor(plan, 3), 200 + i)
  expect(rescales.views().map(({ number }) => number)).toEqual([5, 6])
  expect(rescales.counts).toEqual({ COMPLETED: 1, FAILED: 0, IGNORED: 4 })
  const none = started(0)
  expect(none.views()).toEqual([])
})
