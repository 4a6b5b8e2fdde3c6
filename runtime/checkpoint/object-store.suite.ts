/**
 * The contract of object stores as tests: every implementation runs them.
 *
 * @example
 * objectStoreSuite('memoryStore()', () => ({ store: memoryStore(new MemoryObjects()) }))
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { ObjectStore } from './object-store.ts'

export interface ObjectStoreCase {
  store: ObjectStore
  /** Another client of the same place; the store itself where there is no difference. */
  another?(): ObjectStore | Promise<ObjectStore>
  /** Called after each test. */
  dispose?(): void | Promise<void>
}

const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString())
const bytesOf = (content: string) => new TextEncoder().encode(content)

/** `make` gives a place that is empty. */
export function objectStoreSuite(name: string, make: () => ObjectStoreCase | Promise<ObjectStoreCase>): void {
  describe(`${name}: the contract of object stores`, () => {
    const cleanups: (() => void | Promise<void>)[] = []
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    })
    const open = async () => {
      const one = await make()
      cleanups.push(() => one.dispose?.())
      cleanups.push(() => one.store.close())
      return {
        store: one.store,
        async another() {
          if (one.another === undefined) return one.store
          const another = await one.another()
          cleanups.push(() => another.close())
          return another
        },
      }
    }

    it('says where it is, in a line', async () => {
      const { store } = await open()
      expect(store.url).toMatch(/^[^\n]{3,300}$/)
      expect(store.url).not.toMatch(/\/$/)
    })

    it('gives back what was put, to another client too', async () => {
      const { store, another } = await open()
      const all = new Uint8Array(70_000).map((_, i) => i % 251)
      await store.put('a/b/c', all)
      await store.put('empty', new Uint8Array(0))
      await store.put('a/part', all.subarray(5, 9))
      const second = await another()
      expect(Buffer.compare((await second.get('a/b/c'))!, all)).toBe(0)
      expect(await second.get('empty')).toHaveLength(0)
      expect([...(await second.get('a/part'))!]).toEqual([5, 6, 7, 8])
    })

    it('gives a part of an object, and leaves out what is behind its end', async () => {
      const { store } = await open()
      await store.put('digits', bytesOf('0123456789'))
      await store.put('empty', new Uint8Array(0))
      const part = async (offset: number, length: number) => text(await store.get('digits', { offset, length }))
      expect(await part(0, 10)).toBe('0123456789')
      expect(await part(3, 4)).toBe('3456')
      expect(await part(8, 5)).toBe('89')
      expect(await part(10, 1)).toBe('')
      expect(await part(50, 1)).toBe('')
      expect(await part(3, 0)).toBe('')
      expect(text(await store.get('empty', { offset: 0, length: 5 }))).toBe('')
      expect(await store.get('none', { offset: 0, length: 5 })).toBeUndefined()
      expect(await store.get('none', { offset: 0, length: 0 })).toBeUndefined()
      await expect(store.get('digits', { offset: -1, length: 1 })).rejects.toThrow(RangeError)
    })

    it('knows no object that nobody has put', async () => {
      const { store } = await open()
      await store.put('a/b', bytesOf('1'))
      expect(await store.get('a')).toBeUndefined()
      expect(await store.get('b')).toBeUndefined()
      expect(await store.get('a/b/c')).toBeUndefined()
      expect(await store.list('none/')).toEqual([])
    })

    it('puts over what is there', async () => {
      const { store } = await open()
      await store.put('k', bytesOf('one, and longer'))
      await store.put('k', bytesOf('two'))
      expect(text(await store.get('k'))).toBe('two')
    })

    it('gives bytes that are the caller’s own', async () => {
      const { store } = await open()
      const bytes = bytesOf('mine')
      await store.put('k', bytes)
      bytes.fill(0)
      const first = (await store.get('k'))!
      expect(text(first)).toBe('mine')
      first.fill(0)
      expect(text(await store.get('k'))).toBe('mine')
    })

    it('copies an object by its place, or says that it cannot', async () => {
      const { store, another } = await open()
      if (store.copyFrom === undefined) return
      await store.put('from/some name+1', bytesOf('what it was'))
      await store.put('other/k', bytesOf('one'))
      expect(await store.copyFrom('to/copy', `${store.url}/from/some name+1`)).toBe(true)
      await store.put('from/some name+1', bytesOf('changed'))
      expect(text(await (await another()).get('to/copy'))).toBe('what it was')
      await store.delete(['from/some name+1'])
      expect(text(await store.get('to/copy'))).toBe('what it was')
      expect((await store.list('to/')).map(({ key, size }) => [key, size])).toEqual([['to/copy', 11]])
      expect(await store.copyFrom('to/none', `${store.url}/from/none`)).toBe(false)
      expect(await store.copyFrom('to/none', 'memory:/other/k')).toBe(false)
      expect(await store.get('to/none')).toBeUndefined()
    })

    it('creates an object only where there is none', async () => {
      const { store, another } = await open()
      expect(await store.putIfAbsent('claims/1', bytesOf('first'))).toBe(true)
      expect(await (await another()).putIfAbsent('claims/1', bytesOf('second'))).toBe(false)
      expect(await store.putIfAbsent('claims/1', bytesOf('first'))).toBe(false)
      expect(text(await store.get('claims/1'))).toBe('first')
      await store.delete(['claims/1'])
      expect(await store.putIfAbsent('claims/1', bytesOf('third'))).toBe(true)
      expect(text(await store.get('claims/1'))).toBe('third')
    })

    it('lets one of many win that create the same object, and shows it whole at once', async () => {
      const { store, another } = await open()
      const second = await another()
      const contents = Array.from({ length: 16 }, (_, i) => `${i} `.repeat(20_000))
      let reading = true
      const seen = new Set<string | undefined>()
      const reader = (async () => {
        while (reading) seen.add(text(await second.get('race')))
      })()
      const won = await Promise.all(
        contents.map((content, i) => (i % 2 === 0 ? store : second).putIfAbsent('race', bytesOf(content))),
      )
      reading = false
      await reader
      expect(won.filter(Boolean)).toHaveLength(1)
      const winner = contents[won.indexOf(true)]
      expect(text(await store.get('race'))).toBe(winner)
      seen.delete(undefined)
      seen.delete(winner)
      expect([...seen]).toEqual([])
    })

    it('shows readers the old bytes or the new ones, never a mixture', async () => {
      const { store, another } = await open()
      const second = await another()
      const versions = ['a', 'b'].map((letter) => letter.repeat(100_000))
      await store.put('k', bytesOf(versions[0]!))
      const seen = new Set<string>()
      for (let round = 0; round < 5; round++) {
        const [, ...read] = await Promise.all([
          store.put('k', bytesOf(versions[(round + 1) % 2]!)),
          second.get('k'),
          second.get('k'),
          second.get('k'),
        ])
        for (const bytes of read) seen.add(text(bytes)!)
      }
      expect([...seen].filter((content) => !versions.includes(content))).toEqual([])
    })

    it('lists what is below a prefix in order, with sizes and times', async () => {
      const { store, another } = await open()
      const keys = ['chk-10/_metadata', 'chk-9/_metadata', 'chk-9/more/deep', 'claims/1', 'claims/1.start', 'top']
      for (const key of keys.toReversed()) await store.put(key, bytesOf(key))
      const second = await another()
      const all = await second.list('')
      expect(all.map(({ key }) => key)).toEqual(keys)
      for (const { key, size, modifiedMs } of all) {
        expect(size).toBe(key.length)
        expect(Number.isInteger(modifiedMs)).toBe(true)
      }
      expect((await second.list('chk-9/')).map(({ key }) => key)).toEqual(keys.slice(1, 3))
      expect((await second.list('claims/')).map(({ key }) => key)).toEqual(keys.slice(3, 5))
      expect(await second.list('claim/')).toEqual([])
      await expect(store.list('claims')).rejects.toThrow(RangeError)
    })

    it('lists more than a page of them', async () => {
      const { store } = await open()
      const keys = Array.from({ length: 1_205 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
      await Promise.all(keys.map((key) => store.put(key, bytesOf('x'))))
      expect((await store.list('many/')).map(({ key }) => key)).toEqual(keys)
      await store.delete(keys.slice(1))
      expect((await store.list('many/')).map(({ key }) => key)).toEqual(keys.slice(0, 1))
    })

    it('deletes what is there, and minds nothing that is not', async () => {
      const { store } = await open()
      await store.delete([])
      await store.delete(['none', 'chk-1/none'])
      await store.put('chk-1/_metadata', bytesOf('1'))
      await store.put('chk-2/_metadata', bytesOf('2'))
      await store.delete(['chk-1/_metadata', 'none'])
      expect((await store.list('')).map(({ key }) => key)).toEqual(['chk-2/_metadata'])
      await store.put('chk-1/_metadata', bytesOf('again'))
      expect(text(await store.get('chk-1/_metadata'))).toBe('again')
    })

    it('refuses keys that are no path', async () => {
      const { store } = await open()
      for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/./b', '.tmp/x', 'a\0b']) {
        await expect(store.put(key, bytesOf('x')), key).rejects.toThrow(RangeError)
        await expect(store.putIfAbsent(key, bytesOf('x')), key).rejects.toThrow(RangeError)
        await expect(store.get(key), key).rejects.toThrow(RangeError)
        await expect(store.delete([key]), key).rejects.toThrow(RangeError)
      }
    })
  })
}
