/**
 * A checkpoint under way: what it waits for, and what it has been given.
 *
 *     enumerators ──their states──▶ collecting ──the last acknowledgement──▶ completing ──▶ (complete)
 *         └───────────────────────────┴──────────── given up ◀───────────────┘ (only if the store refuses)
 *
 * While it is completing nobody can tell whether the store has it, so it is not given up.
 */
import type { Barrier } from '../../core/checkpoint.ts'
import { handlesOfSnapshot } from '../handles.ts'
import type { StateHandle, SubtaskSnapshot } from '../model.ts'

/** Someone who asked for it; all that a checkpoint has are told of its end. */
export interface Asker {
  complete(result: { checkpointId: number; path: string }): void
  failed(error: Error): void
}

export interface PendingOptions {
  barrier: Barrier
  /** `stop`: the savepoint that stops the job. */
  kind: 'checkpoint' | 'savepoint' | 'stop'
  /** Of a savepoint. */
  directory: string | undefined
  askers: Asker[]
  /** By the clock that never goes back. */
  beganMs: number
}

export class PendingCheckpoint {
  readonly id: number
  readonly barrier: Barrier
  readonly kind: PendingOptions['kind']
  readonly directory: string | undefined
  readonly beganMs: number
  askers: Asker[]
  phase: 'enumerators' | 'collecting' | 'completing' = 'enumerators'
  /** By operator id. */
  enumerators: Readonly<Record<string, unknown>> = {}
  readonly snapshots = new Map<number, SubtaskSnapshot>()
  readonly #missing = new Set<number>()
  /** Prevents that it expires. */
  stopExpiry: () => void = () => {}

  constructor({ barrier, kind, directory, askers, beganMs }: PendingOptions) {
    this.id = barrier.checkpointId
    this.barrier = barrier
    this.kind = kind
    this.directory = directory
    this.askers = askers
    this.beganMs = beganMs
  }

  /** The enumerators have given their states, and the tasks are told. */
  collect(enumerators: Readonly<Record<string, unknown>>, tasks: readonly number[]): void {
    this.phase = 'collecting'
    this.enumerators = enumerators
    for (const task of tasks) this.#missing.add(task)
  }

  /** False: nobody waits for it. */
  acknowledge(task: number, snapshot: SubtaskSnapshot): boolean {
    if (this.phase !== 'collecting' || !this.#missing.delete(task)) return false
    this.snapshots.set(task, snapshot)
    return true
  }

  waitsFor(task: number): boolean {
    return this.phase === 'collecting' && this.#missing.has(task)
  }

  get isWhole(): boolean {
    return this.phase === 'collecting' && this.#missing.size === 0
  }

  get missing(): readonly number[] {
    return [...this.#missing]
  }

  /** Of everything that it was given. */
  handles(): StateHandle[] {
    return [...this.snapshots.values()].flatMap(handlesOfSubtask)
  }
}

/** Of all operators of a subtask. */
export function handlesOfSubtask({ operators }: SubtaskSnapshot): StateHandle[] {
  return operators.flatMap(handlesOfSnapshot)
}
