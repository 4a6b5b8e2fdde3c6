/**
 * A system outside of the cluster that takes results: what is shown is seen by everyone from then on, and a batch that was prepared is shown when it is committed, once.
 *
 * Calls travel: they take effect after a while and answer after another, and either way can be lost.
 */
import type { Party, World } from './world.ts'

export class CallLost extends Error {}

export class Ledger {
  readonly #world: World
  /** Never stands still. */
  readonly #party: Party
  readonly #onShown: (values: readonly string[], by: string) => void
  readonly #prepared = new Map<string, readonly string[]>()
  readonly #committed = new Set<string>()
  readonly visible: string[] = []
  /** How many of all calls are lost, from 0 to 1. */
  lostShare = 0
  commits = 0

  constructor(world: World, onShown: (values: readonly string[], by: string) => void) {
    this.#world = world
    this.#party = world.party('ledger')
    this.#onShown = onShown
  }

  /** Shows values at once. */
  show(from: Party, values: readonly string[]): Promise<void> {
    return this.#call(from, `show ${values.length} values`, () => this.#show(values, `shown by ${from.name}`))
  }

  /** Takes values that are shown when the batch is committed. */
  prepare(from: Party, batch: string, values: readonly string[]): Promise<void> {
    return this.#call(from, `prepare ${batch}`, () => this.prepareNow(batch, values))
  }
  /** The same without a call: the batch travels in the committable's shoes. */
  prepareNow(batch: string, values: readonly string[]): void {
    if (this.#committed.has(batch)) this.#world.fail(`batch ${batch} is prepared though it was committed before`)
    this.#prepared.set(batch, [...values])
    this.#world.happenings.tell('a batch is prepared')
  }

  /** True: it was committed before. */
  commit(from: Party, batch: string): Promise<boolean> {
    return this.#call(from, `commit ${batch}`, () => {
      if (this.#committed.has(batch)) return true
      const values = this.#prepared.get(batch)
      if (values === undefined) this.#world.fail(`batch ${batch} is committed and was never prepared`)
      this.#committed.add(batch)
      this.commits++
      this.#show(values ?? [], `batch ${batch} by ${from.name}`)
      return false
    })
  }

  #show(values: readonly string[], by: string): void {
    this.visible.push(...values)
    this.#onShown(values, by)
    this.#world.happenings.tell('results are shown')
  }

  #call<R>(from: Party, what: string, effect: () => R): Promise<R> {
    const { random } = this.#world
    const fate = random.chance(this.lostShare) ? random.pick(['lost', 'answer lost'] as const) : 'well'
    return new Promise((resolve, reject) => {
      if (from.dead) return
      const answer = (text: string, then: () => void) => from.after(this.#world.latencyMs(), text, then)
      this.#party.after(this.#world.latencyMs(), `${from.name}: ${what}${fate === 'well' ? '' : `, ${fate}`}`, () => {
        const result = fate === 'lost' ? undefined : effect()
        if (fate === 'well') answer(`hears: ${what} is done`, () => resolve(result as R))
        else answer(`hears nothing: ${what}`, () => reject(new CallLost(`the ledger has not answered: ${what}`)))
      })
    })
  }
}
