/**
 * The journal of the registry: the state as each leader found it, and its changes after that, each an object that is created conditionally and never changed.
 *
 *     journal/<epoch>/<number>.state      all that there is
 *     journal/<epoch>/<number>            one change after it
 *
 * What counts is the newest epoch that has a `.state`: the newest of these, and the changes with higher numbers. What must hold:
 * - a leader claims its epoch (checkpoint/claims.ts), THEN reads the journal of the one before, THEN writes its own `.state`, and looks for newer claims. So whatever an older
 *   leader writes later is below an epoch that does not count any more: it changes nothing, whether or not it has found out;
 * - after each change it looks for newer claims, and only then is the change told to anyone: what anyone was told, the next leader finds;
 * - one change at a time. If it cannot be said whether one is there, it is settled before the next one.
 */
import { z } from 'zod'
import { type Claims, createAndCompare } from '../checkpoint/claims.ts'
import type { ObjectStore, StoredObject } from '../checkpoint/object-store.ts'
import { TailraceError } from '../core/errors.ts'
import { apply, type Change, ChangeRecord, EMPTY, type RegistryState, StateRecord } from './registry-state.ts'

const FORMAT_VERSION = 1
const NAME = /^(\d{1,15})\/(\d{1,15})(\.state)?$/
/** After so many changes the whole state is written again, and what is before it goes. */
const CHANGES_MAX = 200

interface Position {
  epoch: number
  number: number
  isState: boolean
  key: string
}

/** What is written, or read, of a journal. */
export interface ReadJournal {
  state: RegistryState
  /** 0: there is none. */
  epoch: number
  keys: string[]
}

/** Reads what counts in a list of the folder `prefix`. Throws TR-HA-003 when it is broken. */
export async function readJournal(
  store: ObjectStore,
  prefix: string,
  objects: readonly StoredObject[],
): Promise<ReadJournal> {
  const below = `${prefix}journal/`
  const all = objects.flatMap(({ key }) => positionOf(key, below))
  const keys = all.map(({ key }) => key)
  const states = all.filter(({ isState }) => isState)
  const newest = states.reduce<Position | undefined>((a, b) => (a === undefined || isAfter(b, a) ? b : a), undefined)
  const headless = all.find(({ epoch }) => epoch > (newest?.epoch ?? 0))
  if (headless !== undefined) throw broken(store, `${below}${headless.epoch}/1.state`, 'it is missing')
  if (newest === undefined) return { state: EMPTY, epoch: 0, keys }
  const changes = all.filter((one) => one.epoch === newest.epoch && !one.isState && one.number > newest.number)
  changes.sort((a, b) => a.number - b.number)
  let state = await read(store, newest, StateRecord)
  for (const [i, position] of changes.entries()) {
    if (position.number !== newest.number + 1 + i)
      throw broken(store, `${below}${newest.epoch}/${newest.number + 1 + i}`, 'it is missing')
    state = apply(state, await read(store, position, ChangeRecord))
  }
  return { state, epoch: newest.epoch, keys }
}

export interface JournalOptions {
  store: ObjectStore
  prefix: string
  claims: Claims
  epoch: number
  /** Objects that nobody needs any more. */
  drop(keys: readonly string[]): void
}

/** The journal in the hands of the leader of an epoch. */
export class Journal {
  readonly #options: JournalOptions
  #state: RegistryState
  #number = 0
  #keys: string[] = []
  #queue: Promise<unknown> = Promise.resolve()
  /** Written, but not known to be there, or not known to count. */
  #unsettled: { key: string; bytes: Uint8Array; state: RegistryState } | undefined
  #over: unknown

  private constructor(options: JournalOptions, state: RegistryState) {
    this.#options = options
    this.#state = state
  }

  /** Begins the leader's own with what it has found. Throws TR-CHECKPOINT-002 when there is a newer claim. */
  static async begin(options: JournalOptions, state: RegistryState): Promise<Journal> {
    const journal = new Journal(options, state)
    await journal.#write('.state', state, state)
    return journal
  }

  get state(): RegistryState {
    return this.#state
  }

  /** Ends it: nothing is written any more. Resolves when what is under way is done. */
  async close(): Promise<void> {
    this.#over ??= new TailraceError('TR-INTERNAL-001', 'the registry was closed')
    await this.#queue.catch(() => {})
  }

  /** Makes the change that `decide` wants of the newest state; undefined: none. Resolves when it is known to count. */
  change(decide: (state: RegistryState) => Change | undefined): Promise<void> {
    const done = this.#queue.then(async () => {
      this.#refuseWhenOver()
      await this.#settle()
      const change = decide(this.#state)
      if (change === undefined) return
      if (this.#keys.length > CHANGES_MAX) await this.#compact()
      await this.#write('', change, apply(this.#state, change))
    })
    this.#queue = done.catch(() => {})
    return done
  }

  async #compact(): Promise<void> {
    const needless = [...this.#keys]
    await this.#write('.state', this.#state, this.#state)
    this.#keys = this.#keys.slice(-1)
    this.#options.drop(needless)
  }

  async #write(suffix: '' | '.state', record: RegistryState | Change, state: RegistryState): Promise<void> {
    const { prefix, epoch } = this.#options
    const key = `${prefix}journal/${epoch}/${this.#number + 1}${suffix}`
    const bytes = new TextEncoder().encode(`${JSON.stringify({ formatVersion: FORMAT_VERSION, ...record })}\n`)
    this.#unsettled = { key, bytes, state }
    await this.#settle()
  }

  /** What was begun comes to its end, before anything else. */
  async #settle(): Promise<void> {
    if (this.#unsettled === undefined) return
    const { store, claims, epoch } = this.#options
    const { key, bytes, state } = this.#unsettled
    try {
      if ((await createAndCompare(store, key, bytes)) !== 'ours')
        throw new TailraceError(
          'TR-INTERNAL-001',
          `Cannot write "${store.url}/${key}": another is there, wanted: one leader per epoch`,
        )
      await claims.refuseIfDeposed(epoch, `write "${store.url}/${key}"`)
    } catch (error) {
      const { code } = error as TailraceError
      // All else may pass.
      if (code === 'TR-CHECKPOINT-002' || code === 'TR-INTERNAL-001') this.#over ??= error
      throw error
    }
    this.#unsettled = undefined
    this.#number++
    this.#keys.push(key)
    this.#state = state
  }

  #refuseWhenOver(): void {
    if (this.#over === undefined) return
    const { code, message } = this.#over as TailraceError
    throw new TailraceError(code, `Cannot change the registry of jobs, for it is over: ${message}`, {
      cause: this.#over,
    })
  }
}

function positionOf(key: string, below: string): Position[] {
  const match = key.startsWith(below) ? NAME.exec(key.slice(below.length)) : null
  return match === null
    ? []
    : [{ epoch: Number(match[1]), number: Number(match[2]), isState: match[3] !== undefined, key }]
}

function isAfter(a: Position, b: Position): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.number > b.number)
}

async function read<T>(store: ObjectStore, { key }: Position, schema: z.ZodType<T>): Promise<T> {
  const bytes = await store.get(key)
  if (bytes === undefined) throw broken(store, key, 'it is missing')
  let json: { formatVersion?: unknown } | null
  try {
    json = JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    throw broken(store, key, `it is no JSON (${(error as Error).message})`)
  }
  if (json?.formatVersion !== FORMAT_VERSION) throw broken(store, key, `it has format version ${json?.formatVersion}`)
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw broken(store, key, z.prettifyError(parsed.error))
  return parsed.data
}

function broken(store: ObjectStore, key: string, found: string): TailraceError {
  return new TailraceError(
    'TR-HA-003',
    `Cannot read the record "${store.url}/${key}": ${found}, wanted: a record of format version ${FORMAT_VERSION}, as Tailrace has written it`,
  )
}
