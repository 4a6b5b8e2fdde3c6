import { describe, expect, it } from 'vitest'
import type { CheckpointRef, Start } from './claims.ts'
import { decideLineage } from './lineage.ts'

/** `2@7` is checkpoint 7 of epoch 2. */
const ref = (text: string): CheckpointRef => {
  const [epoch, checkpointId] = text.split('@').map(Number)
  return { epoch: epoch!, checkpointId: checkpointId! }
}
const refs = (text: string) => text.split(' ').filter(Boolean).map(ref)
const show = (list: readonly CheckpointRef[]) => list.map((one) => `${one.epoch}@${one.checkpointId}`).join(' ')

interface Row {
  what: string
  /** Epoch: what it took over, or '' for nothing. */
  starts: Record<number, string>
  end?: number
  there: string
  counting: string
  stale?: string
  problem?: string
  next?: number
}

const rows: Row[] = [
  { what: 'nothing yet', starts: {}, there: '', counting: '', next: 1 },
  { what: 'an owner without checkpoints', starts: { 1: '' }, there: '', counting: '', next: 100 },
  {
    what: 'one owner’s checkpoints, in order of their ids',
    starts: { 1: '' },
    there: '1@10 1@9 1@2',
    counting: '1@2 1@9 1@10',
  },
  {
    what: 'those of the owner before, too',
    starts: { 1: '', 2: '1@4' },
    there: '1@3 1@4 2@5',
    counting: '1@3 1@4 2@5',
  },
  {
    what: 'none that was completed after it was taken over from',
    starts: { 1: '', 2: '1@4' },
    there: '1@4 1@5 2@6',
    counting: '1@4 2@6',
    stale: '1@5',
  },
  {
    what: 'nor when the new owner has completed none',
    starts: { 1: '', 2: '1@4' },
    there: '1@4 1@5 1@6',
    counting: '1@4',
    stale: '1@5 1@6',
  },
  {
    what: 'nor by an owner that was passed over',
    starts: { 1: '', 2: '1@4', 3: '1@4' },
    there: '1@4 2@5',
    counting: '1@4',
    stale: '2@5',
  },
  {
    what: 'those of a claim that never acted do not exist: its claim says nothing',
    starts: { 1: '' },
    there: '1@4 1@5',
    counting: '1@4 1@5',
  },
  {
    what: 'of two with one id, the one of the lineage',
    starts: { 1: '', 2: '1@4' },
    there: '1@4 2@5 1@5',
    counting: '1@4 2@5',
    stale: '1@5',
  },
  {
    what: 'through several owners without checkpoints',
    starts: { 1: '', 2: '1@4', 4: '1@4', 7: '1@4' },
    there: '1@3 1@4',
    counting: '1@3 1@4',
  },
  { what: 'all that an owner began without', starts: { 1: '', 2: '' }, there: '1@4', counting: '', stale: '1@4' },
  {
    what: 'no one’s, when the newest that is told is gone',
    starts: { 1: '', 2: '1@4' },
    there: '1@3',
    counting: '',
    problem: 'missing 1@4',
  },
  { what: 'what is left, when it is subsumed', starts: { 1: '', 2: '1@4' }, there: '1@3 2@5', counting: '1@3 2@5' },
  {
    what: 'what is left, when records of older epochs are gone',
    starts: { 2: '1@4' },
    there: '1@4 2@5',
    counting: '1@4 2@5',
  },
  {
    what: 'what is told, when records of its epoch are gone',
    starts: { 2: '1@4' },
    there: '1@3 1@4',
    counting: '1@4',
    stale: '1@3',
  },
  {
    what: 'no one’s, of an epoch that nobody claimed',
    starts: { 1: '' },
    there: '1@4 3@5',
    counting: '',
    problem: 'unknownEpoch 3@5',
  },
  { what: 'nothing, after the end', starts: { 1: '' }, end: 2, there: '1@4', counting: '', stale: '1@4', next: 200 },
  {
    what: 'what came after the end',
    starts: { 1: '', 3: '' },
    end: 2,
    there: '1@4 3@8',
    counting: '3@8',
    stale: '1@4',
  },
  { what: 'nothing of a circle', starts: { 1: '1@1', 2: '2@4' }, there: '1@3', counting: '', stale: '1@3' },
]

describe('decideLineage() counts', () => {
  it.each(rows)('$what', ({ starts, end, there, counting, stale = '', problem, next }) => {
    const decision = decideLineage({
      starts: new Map(
        Object.entries(starts).map(([epoch, text]): [number, Start] => [
          Number(epoch),
          { epoch: Number(epoch), owner: 'o', takesOver: text === '' ? null : ref(text), nextCheckpointId: 100 },
        ]),
      ),
      end: end === undefined ? undefined : { epoch: end, nextCheckpointId: 200 },
      checkpoints: refs(there),
    })
    expect(show(decision.counting)).toBe(counting)
    expect(show(decision.stale)).toBe(stale)
    expect(decision.problem && Object.entries(decision.problem).map(([k, v]) => `${k} ${show([v])}`)[0]).toBe(problem)
    if (next !== undefined) expect(decision.nextCheckpointId).toBe(next)
  })

  it('gives an id above all that are there', () => {
    const start = { epoch: 1, owner: 'o', takesOver: null, nextCheckpointId: 3 }
    const { nextCheckpointId } = decideLineage({
      starts: new Map([[1, start]]),
      end: undefined,
      checkpoints: refs('1@41'),
    })
    expect(nextCheckpointId).toBe(42)
  })
})
