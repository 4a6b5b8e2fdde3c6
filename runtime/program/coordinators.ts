/**
 * Runs the source enumerators of one job beside its `main` [SRC-01].
 *
 * Everything of an enumerator happens on this thread, one call at a time. What it throws fails the job with the source's name.
 */
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { errorToData, isTailraceError, TailraceError } from '../core/errors.ts'
import type { EnumeratorContext, Source, SourceSplit, SplitEnumerator } from '../core/source.ts'
import type { JobGraph, JobVertex } from '../graph/model.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'

/** Messages for a source of this job. */
export type ToCoordinator = Extract<ToProgram, { vertexId: string }>

export class SourceCoordinators {
  readonly #sources = new Map<string, SourceCoordinator>()

  /** Creates and starts the enumerators of all sources of `graph`; those with a state (by operator id) go on from it. `parallelism` is by vertex, where it is not the graph's. */
  constructor(
    jobId: string,
    graph: JobGraph,
    post: (message: FromProgram) => void,
    states: Readonly<Record<string, unknown>> = {},
    schedule: Schedule = systemSchedule,
    parallelism: Readonly<Record<string, number>> = {},
  ) {
    for (const vertex of graph.vertices) {
      if (vertex.operators[0]!.node.isSource)
        this.#sources.set(
          vertex.id,
          new SourceCoordinator(
            jobId,
            { ...vertex, parallelism: parallelism[vertex.id] ?? vertex.parallelism },
            post,
            schedule,
          ),
        )
    }
    for (const source of this.#sources.values()) source.start(states)
  }

  receive(message: ToCoordinator): void {
    this.#sources.get(message.vertexId)?.receive(message)
  }

  /** What each of them would go on from now, by operator id. Throws TR-SOURCE-001 when one cannot say it. */
  snapshot(): Record<string, unknown> {
    const states: Record<string, unknown> = {}
    for (const source of this.#sources.values()) source.snapshot(states)
    return states
  }

  checkpointComplete(checkpointId: number): void {
    for (const source of this.#sources.values()) source.checkpointComplete(checkpointId)
  }

  close(): void {
    for (const source of this.#sources.values()) source.close()
  }
}

class SourceCoordinator {
  readonly #jobId: string
  readonly #vertex: JobVertex
  readonly #post: (message: FromProgram) => void
  readonly #readers = new Set<number>()
  readonly #schedule: Schedule
  readonly #stopTimers = new Set<() => void>()
  #enumerator: SplitEnumerator<SourceSplit> | undefined
  #closed = false

  constructor(jobId: string, vertex: JobVertex, post: (message: FromProgram) => void, schedule: Schedule) {
    this.#jobId = jobId
    this.#vertex = vertex
    this.#post = post
    this.#schedule = schedule
  }

  start(states: Readonly<Record<string, unknown>>): void {
    this.#guard(() => {
      const { node, operatorId, name } = this.#vertex.operators[0]!
      const source = node.spec.options.source as Source<unknown>
      const state = states[operatorId]
      // One that gave nothing to keep begins again.
      if (state === undefined || state === null) this.#enumerator = source.createEnumerator(this.#context())
      else if (source.restoreEnumerator === undefined) throw cannotRestore(name)
      else this.#enumerator = source.restoreEnumerator(this.#context(), state)
      this.#enumerator.start()
    })
  }

  receive(message: ToCoordinator): void {
    this.#guard(() => {
      const { subtask } = message
      switch (message.type) {
        case 'addReader':
          this.#readers.add(subtask)
          this.#enumerator?.addReader(subtask)
          break
        case 'splitRequest':
          this.#enumerator?.handleSplitRequest(subtask)
          break
        case 'sourceEvent':
          this.#enumerator?.handleEvent?.(subtask, message.event)
          break
      }
    })
  }

  snapshot(states: Record<string, unknown>): void {
    if (this.#closed || this.#enumerator === undefined) return
    const { name, operatorId } = this.#vertex.operators[0]!
    try {
      // A copy: the enumerator goes on with its own.
      const state = structuredClone(this.#enumerator.snapshot())
      if (state !== undefined) states[operatorId] = state
    } catch (error) {
      throw sourceError(`take the state of source "${name}"`, name, error)
    }
  }

  checkpointComplete(checkpointId: number): void {
    this.#guard(() => this.#enumerator?.notifyCheckpointComplete?.(checkpointId))
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const stop of this.#stopTimers) stop()
    try {
      this.#enumerator?.close()
    } catch {
      // The job has ended and its result stands.
    }
  }

  #context(): EnumeratorContext<SourceSplit> {
    const place = { jobId: this.#jobId, vertexId: this.#vertex.id }
    return {
      parallelism: this.#vertex.parallelism,
      readers: () => [...this.#readers],
      assign: (split, subtask) => this.#post({ type: 'assignSplits', ...place, subtask, splits: [split] }),
      noMoreSplits: (subtask) => this.#post({ type: 'noMoreSplits', ...place, subtask }),
      noSplitsNow: (subtask) => this.#post({ type: 'assignSplits', ...place, subtask, splits: [] }),
      sendEvent: (subtask, event) => this.#post({ type: 'sourceEvent', ...place, subtask, event }),
      callAsync: (task, then, everyMs) => void this.#callAsync(task, then, everyMs),
      setIsProcessingBacklog: (has) =>
        this.#post({ type: 'backlog', jobId: this.#jobId, vertexId: place.vertexId, has }),
    }
  }

  async #callAsync<R>(task: () => Promise<R>, then: (result: R) => void, everyMs: number | undefined): Promise<void> {
    try {
      const result = await task()
      if (this.#closed) return
      then(result)
    } catch (error) {
      this.#fail(error)
      return
    }
    if (everyMs === undefined) return
    const stop = this.#schedule(everyMs, () => {
      this.#stopTimers.delete(stop)
      void this.#callAsync(task, then, everyMs)
    })
    this.#stopTimers.add(stop)
  }

  #guard(work: () => void): void {
    if (this.#closed) return
    try {
      work()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.close()
    const { name } = this.#vertex.operators[0]!
    const failure = sourceError(`assign splits of source "${name}"`, name, error)
    this.#post({
      type: 'coordinatorFailed',
      jobId: this.#jobId,
      vertexId: this.#vertex.id,
      error: errorToData(failure),
    })
  }
}

function cannotRestore(name: string): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-004',
    `Cannot go on with source "${name}": its enumerator gave a state to a checkpoint, and the source has no restoreEnumerator() to take it back`,
  )
}

function sourceError(what: string, name: string, error: unknown): TailraceError {
  const why = error instanceof Error ? error.message : String(error)
  const failure = isTailraceError(error)
    ? error
    : new TailraceError('TR-SOURCE-001', `Cannot ${what}: ${why}`, { cause: error })
  failure.operator ??= name
  return failure
}
