import { describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { type MemoryFault, MemoryObjects, type MemoryOperation, memoryStore } from './memory-store.ts'
import type { StateHandle } from './model.ts'
import { filesOf, parseSharedName, SharedFiles, sha256 } from './shared-files.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const nameOf = (handle: StateHandle) => ('file' in handle ? handle.file : '')

function setup(fault?: (operation: MemoryOperation) => MemoryFault | undefined) {
  const objects = new MemoryObjects()
  const clock = new ManualClock()
  let running = 0
  let most = 0
  const inner = memoryStore(objects, fault && { fault })
  const store = {
    ...inner,
    put: async (key: string, bytes: Uint8Array) => {
      most = Math.max(most, ++running)
      await inner.put(key, bytes).finally(() => running--)
    },
  }
  const files = new SharedFiles({ store, prefix: 'd/', epoch: 3, clock, writesMax: 2, graceMs: 100 })
  /** A checkpoint is completed with these. */
  const complete = (id: number, handles: StateHandle[]) => {
    const names = filesOf(handles)
    files.attach(id, names)
    files.settle(names)
  }
  return { objects, clock, files, complete, most: () => most }
}

describe('SharedFiles', () => {
  it('names a file by its owner’s epoch, a number and its hash', async () => {
    const { files, objects } = setup()
    const handle = await files.write(bytesOf('state'))
    expect(handle).toEqual({ file: `shared/3-1-${sha256(bytesOf('state'))}`, offset: 0, length: 5 })
    expect([...objects.objects.keys()]).toEqual([`d/${nameOf(handle)}`])
  })

  it('writes the same bytes again: what is given up with one checkpoint is not what another counts on', async () => {
    const { files, complete } = setup()
    const [first, second] = [await files.write(bytesOf('a')), await files.write(bytesOf('a'))]
    expect(nameOf(second)).not.toBe(nameOf(first))
    // A subtask's handles name one file several times: its tables, its lists.
    files.settle(filesOf([first, { ...first, offset: 1, length: 0 }]))
    expect(files.takeUnneeded()).toEqual([nameOf(first)])
    complete(2, [second])
    expect(files.takeUnneeded()).toEqual([])
  })

  it('writes so many at a time', async () => {
    const { files, most } = setup()
    await Promise.all(Array.from({ length: 20 }, (_, i) => files.write(bytesOf(String(i)))))
    expect(most()).toBe(2)
  })

  it('lets go of a file when the last checkpoint that needs it is gone', async () => {
    const { files, complete } = setup()
    const [a, b] = [await files.write(bytesOf('a')), await files.write(bytesOf('b'))]
    complete(1, [a, b])
    complete(2, [a])
    files.detach(1)
    expect(files.takeUnneeded()).toEqual([nameOf(b)])
    expect(files.takeUnneeded()).toEqual([])
    files.detach(2)
    expect(files.takeUnneeded()).toEqual([nameOf(a)])
  })

  it('never uses a name again', async () => {
    const { files } = setup()
    const first = await files.write(bytesOf('a'))
    files.settle(filesOf([first]))
    expect(files.takeUnneeded()).toEqual([nameOf(first)])
    expect(nameOf(await files.write(bytesOf('a')))).not.toBe(nameOf(first))
  })

  it('gives up what no checkpoint was settled with after its grace', async () => {
    const { files, clock } = setup()
    const a = await files.write(bytesOf('a'))
    clock.advance(60)
    const b = await files.write(bytesOf('b'))
    clock.advance(60)
    expect(files.takeUnneeded()).toEqual([nameOf(a)])
    clock.advance(60)
    expect(files.takeUnneeded()).toEqual([nameOf(b)])
  })

  it('refuses to complete a checkpoint with a file that is gone, or that it does not know', async () => {
    const { files, complete } = setup()
    const [a, b] = [await files.write(bytesOf('a')), await files.write(bytesOf('b'))]
    files.settle(filesOf([a]))
    files.takeUnneeded()
    expect(() => complete(7, [b, a])).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-001', message: expect.stringContaining(`"${nameOf(a)}"`) }),
    )
    expect(() => complete(7, [{ file: 'shared/2-1-abc', offset: 0, length: 1 }])).toThrow()
    // Nothing of it holds b.
    files.settle(filesOf([b]))
    expect(files.takeUnneeded()).toEqual([nameOf(b)])
  })

  it('takes over files of a checkpoint that was there before', async () => {
    const { files, complete } = setup()
    const old: StateHandle = { file: `shared/1-1-${sha256(bytesOf('old'))}`, offset: 0, length: 3 }
    files.adopt({ epoch: 1, checkpointId: 4 }, [old.file])
    complete(5, [old])
    files.detach(4)
    expect(files.takeUnneeded()).toEqual([])
    files.detach(5)
    expect(files.takeUnneeded()).toEqual([old.file])
    // The bytes are the same, but the file was another owner's.
    expect(nameOf(await files.write(bytesOf('old')))).toMatch(/^shared\/3-1-/)
  })

  it('deletes what a failed write may have left, and writes anew', async () => {
    const faults: (MemoryFault | undefined)[] = [{ fail: 'after' }]
    const { files, objects } = setup(() => faults.shift())
    await expect(files.write(bytesOf('a'))).rejects.toThrow()
    const left = [...objects.objects.keys()].map((key) => key.slice(2))
    expect(left).toHaveLength(1)
    expect(files.takeUnneeded()).toEqual(left)
    const handle = await files.write(bytesOf('a'))
    expect(nameOf(handle)).not.toBe(left[0])
    expect(objects.objects.has(`d/${nameOf(handle)}`)).toBe(true)
  })
})

describe('names of files', () => {
  it('are parsed', () => {
    const hash = sha256(bytesOf('x'))
    expect(parseSharedName(`shared/12-7-${hash}`)).toEqual({ epoch: 12, number: 7, sha256: hash })
    for (const other of [`shared/12-${hash}`, `shared/a-1-${hash}`, `shared/1-1-${hash}0`, `x/shared/1-1-${hash}`])
      expect(parseSharedName(other)).toBeUndefined()
  })

  it('are those of handles below the folder only, each once', () => {
    const handle = (file: string) => ({ file, offset: 0, length: 1 })
    const handles = [
      handle('shared/a'),
      { bytes: Uint8Array.of(1) },
      handle('/x'),
      handle('shared/b'),
      handle('shared/a'),
    ]
    expect([...filesOf(handles)]).toEqual(['shared/a', 'shared/b'])
  })
})
