import { expect, it } from 'vitest'
import { slotInventory } from '../rpc/messages/parts/slot-inventory.ts'
import type { DeploymentData } from '../rpc/messages/to-slot/deploy.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import { SlotWork } from './slot-work.ts'

const source = { vertexId: 'source', subtask: 0 }
const sink = { vertexId: 'sink', subtask: 1 }
const deployment = {
  ...{ jobId: 'j', attempt: 2, slotIndex: 1, plan: { hash: 'h' }, subtasks: [source, sink] },
} as unknown as DeploymentData
const acked = (of: object, checkpointId: number) => ({ type: 'checkpointAck', ...of, checkpointId }) as FromSlot

it('what a slot runs is told with states, newest barriers and what is not committed', () => {
  const work = new SlotWork(deployment, 5)
  work.said({ type: 'taskState', ...source, state: 'RUNNING' })
  for (const id of [3, 4, 5]) work.said(acked(source, id))
  work.told({ type: 'checkpointAborted', checkpointId: 4 })
  work.told({ type: 'checkpointComplete', checkpointId: 3 })
  const told = work.inventory(0, 9)
  expect(told).toEqual({
    ...{ slot: 0, thread: 9, jobId: 'j', attempt: 2, slotIndex: 1, epoch: 5, planHash: 'h' },
    subtasks: [
      { ...source, state: 'RUNNING', splits: [], lastBarrier: 5, pendingCommits: [5] },
      { ...sink, state: 'INITIALIZING', splits: [], pendingCommits: [] },
    ],
  })
  expect(slotInventory.parse(told)).toEqual(told)
})

it('splits are told that readers have begun and not ended', () => {
  const work = new SlotWork(deployment, 5)
  const held = (begun: { id: string; path?: string }[], ended: string[], of = source) =>
    work.splitsHeld({ type: 'splitsHeld', ...of, begun, ended })
  held([{ id: 'a', path: '/a' }, { id: 'b' }], [])
  held([], ['b'])
  // It goes on in a split that it was given again.
  held([{ id: 'c' }, { id: 'a', path: '/a' }], [])
  held([{ id: 'x' }], [], { vertexId: 'elsewhere', subtask: 0 })
  const told = work.inventory(0, 9)
  expect(told.subtasks.map(({ splits }) => splits)).toEqual([[{ id: 'a', path: '/a' }, { id: 'c' }], []])
  expect(slotInventory.parse(told)).toEqual(told)
})
