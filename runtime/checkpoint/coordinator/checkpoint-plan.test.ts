import { describe, expect, it } from 'vitest'
import type { Plan } from '../../graph/model.ts'
import { placesOf, planCheckpoint, type TaskPhase, tasksState } from './checkpoint-plan.ts'

/** Vertices `a2` (a with two subtasks), edges `a-key-b`. */
function planOf(vertices: string[], edges: string[]): Plan {
  return {
    vertices: vertices.map((text) => ({ id: text[0]!, parallelism: Number(text.slice(1)) })),
    edges: edges.map((text) => {
      const [from, partitioner, to] = text.split('-')
      return { from, partitioner, to }
    }),
  } as unknown as Plan
}

const PHASES: Record<string, TaskPhase> = { s: 'starting', r: 'running', e: 'ended', f: 'finished', g: 'gone' }
const phasesOf = (text: string) => [...text.replaceAll(' ', '')].map((letter) => PHASES[letter]!)

describe('planCheckpoint()', () => {
  const chain = planOf(['a2', 'b2', 'c1'], ['a-forward-b', 'b-key-c'])
  const twoSources = planOf(['a1', 'b2', 'c2'], ['a-rebalance-c', 'b-forward-c'])
  const rescale = planOf(['a4', 'b2'], ['a-rescale-b'])

  it.each([
    ['all run: the sources begin', chain, 'rr rr r', 'a0 a1', 'a0 a1 b0 b1 c0'],
    ['tasks that have ended still pass barriers on', chain, 'ee re r', 'a0 a1', 'a0 a1 b0 b1 c0'],
    ['a source has finished: what it alone fed begins', chain, 'fr rr r', 'a1 b0', 'a1 b0 b1 c0'],
    ['all sources have finished', chain, 'ff rr r', 'b0 b1', 'b0 b1 c0'],
    ['some of the second stage, too', chain, 'ff fr r', 'b1', 'b1 c0'],
    ['only the last one runs', chain, 'ff ff r', 'c0', 'c0'],
    ['nothing runs', chain, 'ff ff f', '', ''],
    ['one input of two has finished: barriers come from the other', twoSources, 'f rr rr', 'b0 b1', 'b0 b1 c0 c1'],
    ['one channel of two', twoSources, 'f fr rr', 'b1 c0', 'b1 c0 c1'],
    ['all of one, none of the other', twoSources, 'r ff rr', 'a0', 'a0 c0 c1'],
    ['several senders of one task', rescale, 'ffrr rr', 'a2 a3 b0', 'a2 a3 b0 b1'],
    ['one of several senders', rescale, 'frrr rr', 'a1 a2 a3', 'a1 a2 a3 b0 b1'],
  ])('%s', (_, plan, phases, trigger, acknowledge) => {
    const places = placesOf(plan)
    const names = (tasks: number[]) => tasks.map((t) => `${places[t]!.vertexId}${places[t]!.subtask}`).join(' ')
    const decided = planCheckpoint(places, phasesOf(phases))
    expect([names(decided.trigger), names(decided.acknowledge)]).toEqual([trigger, acknowledge])
  })
})

describe('tasksState()', () => {
  it.each([
    ['rrr', 'run'],
    ['rre', 'run'],
    ['rff', 'run'],
    ['eef', 'ended'],
    ['fff', 'finished'],
    ['srr', 'not all run'],
    ['sff', 'not all run'],
    ['grr', 'not all run'],
    ['gee', 'not all run'],
  ])('%s: %s', (phases, state) => {
    expect(tasksState(phasesOf(phases))).toBe(state)
  })
})
