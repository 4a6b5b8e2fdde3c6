/** Two owners at once, each held up at any of its steps. fencing.test.ts has more owners and faults, by chance. */
import { describe, expect, it } from 'vitest'
import { complete, Place, read } from './checkpoint-place.suite.ts'
import { memoryStore } from './memory-store.ts'

/** Holds an operation of a store back until it is let go: before it takes effect, or after. */
class Pause {
  readonly at: number
  readonly when: 'beforeMs' | 'afterMs'
  count = 0
  #go: (() => void) | undefined
  constructor(at: number, when: 'beforeMs' | 'afterMs') {
    this.at = at
    this.when = when
  }
  readonly fault = () => (++this.count === this.at ? { [this.when]: 1 } : undefined)
  readonly schedule = (_ms: number, callback: () => void) => {
    this.#go = callback
    return () => {}
  }
  get isHolding(): boolean {
    return this.#go !== undefined
  }
  letGo(): void {
    this.#go?.()
  }
}

describe('an owner that is held up at each of its steps, while another takes over', () => {
  const turns = async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  const points = Array.from({ length: 24 }, (_, i) => [i + 1, 'beforeMs'] as const).flatMap(([at]) => [
    [at, 'beforeMs'] as const,
    [at, 'afterMs'] as const,
  ])

  it('either tells before the other goes on, or is deposed', async () => {
    let held = 0
    const outcomes = new Set<string>()
    for (const [oldAt, oldWhen] of points) {
      for (const [newAt, newWhen] of points) {
        const place = new Place()
        const start = await place.open()
        await complete(start, 1, 'one')
        const old = new Pause(oldAt, oldWhen)
        // The old owner opens and completes 2, the new one opens and reads; each is held up once.
        const run = async (pause: Pause) => {
          const store = await place.open({ store: memoryStore(place.objects, pause) })
          return { store, state: (await read(store)).at(-1) }
        }
        const oldRun = run(old)
          .then(async ({ store }) => complete(store, 2, 'two').then(() => ({ epoch: store.epoch })))
          .catch((error) => error.code as string)
        await turns()
        const next = new Pause(newAt, newWhen)
        const newRun = run(next).catch((error) => error.code as string)
        await turns()
        if (old.isHolding && next.isHolding) held++
        old.letGo()
        await turns()
        next.letGo()
        const [told, opened] = await Promise.all([oldRun, newRun])
        const where = `old held ${oldWhen} ${oldAt}, new ${newWhen} ${newAt}`
        const last = await place.open()
        const state = (await read(last)).at(-1)
        if (typeof opened === 'string') {
          // The old one has claimed after it.
          expect(opened, where).toBe('TR-CHECKPOINT-002')
          expect(told, where).toBeTypeOf('object')
        } else if (typeof told === 'string') {
          expect(told, where).toBe('TR-CHECKPOINT-002')
          expect(state, where).toBe(opened.state)
        } else if (told.epoch < opened.store.epoch) {
          expect(opened.state, where).toBe('two')
        }
        if (typeof told === 'object') expect(state, where).toBe('two')
        outcomes.add(
          `${typeof told === 'string' ? told : 'told'}, ${typeof opened === 'string' ? opened : opened.state}`,
        )
        await complete(last, 5, 'five')
        expect(await read(await place.open()), where).toEqual(['five'])
      }
    }
    expect(held).toBeGreaterThan(100)
    expect([...outcomes].sort()).toEqual([
      'TR-CHECKPOINT-002, one',
      'TR-CHECKPOINT-002, two',
      'told, TR-CHECKPOINT-002',
      'told, one',
      'told, two',
    ])
  })
})
