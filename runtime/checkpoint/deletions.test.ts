import { expect, it } from 'vitest'
import { Deletions } from './deletions.ts'
import { MemoryObjects, memoryStore } from './memory-store.ts'

function setup() {
  const deleted: string[][] = []
  const warnings: string[] = []
  let fails = 0
  const store = {
    ...memoryStore(new MemoryObjects()),
    delete: async (keys: readonly string[]) => {
      await undefined
      if (fails > 0) {
        fails--
        throw new Error('no')
      }
      deleted.push([...keys])
    },
  }
  const deletions = new Deletions(store, (text) => warnings.push(text))
  return { deletions, deleted, warnings, fail: (times: number) => (fails = times) }
}

it('deletes metadata before files, and what was added meanwhile in the same order', async () => {
  const { deletions, deleted } = setup()
  deletions.add(['m1'], ['f1', 'f2'])
  deletions.add([], ['f3'])
  await undefined
  await undefined
  deletions.add(['m2'], ['f4'])
  expect(deleted).toEqual([['m1']])
  await deletions.settled()
  expect(deleted).toEqual([['m1'], ['m2'], ['f1', 'f2', 'f3', 'f4']])
})

it('keeps what it could not delete, says so, and deletes no file meanwhile', async () => {
  const { deletions, deleted, warnings, fail } = setup()
  fail(1)
  deletions.add(['m1'], ['f1'])
  await deletions.settled()
  expect(deleted).toEqual([])
  expect(warnings).toEqual(['Cannot delete 1 unneeded files yet, such as "m1": no'])
  deletions.add(['m2'], [])
  await deletions.settled()
  expect(deleted).toEqual([['m1', 'm2'], ['f1']])
})

it('stops', async () => {
  const { deletions, deleted } = setup()
  deletions.add(['m1'], ['f1'])
  deletions.stop()
  await deletions.settled()
  expect(deleted).toEqual([])
})
