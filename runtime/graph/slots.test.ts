import { expect, test } from 'vitest'
import { assignSlots } from './slots.ts'

const vertex = (id: string, parallelism: number, slotSharingGroup = 'default') => ({
  id,
  parallelism,
  slotSharingGroup,
})

test('a group takes as many slots as its widest vertex, and subtask i goes to slot i', () => {
  expect(assignSlots({ vertices: [vertex('a', 2), vertex('b', 3), vertex('c', 1)] })).toEqual({
    slotCount: 3,
    vertices: [
      { vertexId: 'a', slots: [0, 1] },
      { vertexId: 'b', slots: [0, 1, 2] },
      { vertexId: 'c', slots: [0] },
    ],
  })
})

test('groups share no slots', () => {
  expect(
    assignSlots({ vertices: [vertex('a', 2), vertex('b', 2, 'heavy'), vertex('c', 1), vertex('d', 1, 'heavy')] }),
  ).toEqual({
    slotCount: 4,
    vertices: [
      { vertexId: 'a', slots: [0, 1] },
      { vertexId: 'b', slots: [2, 3] },
      { vertexId: 'c', slots: [0] },
      { vertexId: 'd', slots: [2] },
    ],
  })
})
