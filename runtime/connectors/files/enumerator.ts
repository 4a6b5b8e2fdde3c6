/**
 * Finds files, cuts them into splits, and hands one to each reader that asks. Bounded: lists once. Watching: lists again and again and
 * takes files that it has not seen; a file is read once, as it is when it is found, so writers should move finished files in.
 *
 * A request is answered when it is known what there is: before the first look nothing is said, so the reader holds the watermark back.
 */
import type { EnumeratorContext, SourceSplit, SplitEnumerator } from '../../core/source.ts'
import { type FoundFile, listFiles } from './list.ts'

/** A part of a file: the records that begin at `start` or later and before `end`. */
export interface FileSplit extends SourceSplit {
  readonly path: string
  /** So many files were found before it. */
  readonly file: number
  readonly start: number
  /** null: the end of the file. */
  readonly end: number | null
  /** Where to go on, and the decoder's state there; absent before the first record was read. */
  readonly offset?: number
  readonly state?: unknown
}

export interface EnumeratorState {
  /** Not yet handed out. */
  pending: FileSplit[]
  /** Found so far; paths. */
  known: string[]
  listed: boolean
}

export interface EnumeratorOptions {
  paths: readonly string[]
  splittable: boolean
  splitBytes: number
  /** undefined: bounded. */
  watchMs: number | undefined
}

export class FileEnumerator implements SplitEnumerator<FileSplit, EnumeratorState> {
  readonly #context: EnumeratorContext<FileSplit>
  readonly #options: EnumeratorOptions
  readonly #pending: FileSplit[]
  readonly #known: Set<string>
  /** Subtasks that have asked and got nothing yet. */
  #waiting: { subtask: number; knows: boolean }[] = []
  #listed: boolean
  /** Not only in an earlier life. */
  #looked = false

  constructor(context: EnumeratorContext<FileSplit>, options: EnumeratorOptions, state?: EnumeratorState) {
    this.#context = context
    this.#options = options
    this.#pending = state?.pending ?? []
    this.#known = new Set(state?.known)
    this.#listed = state?.listed ?? false
  }

  start(): void {
    const { paths, watchMs } = this.#options
    if (watchMs === undefined && this.#listed) return
    const missing = watchMs === undefined ? 'fail' : 'empty'
    this.#context.callAsync(
      () => listFiles(paths, missing),
      (files) => this.#found(files),
      watchMs,
    )
  }
  addReader(): void {}
  handleSplitRequest(subtask: number): void {
    this.#waiting.push({ subtask, knows: false })
    this.#serve()
  }
  addSplitsBack(splits: FileSplit[]): void {
    this.#pending.unshift(...splits)
    this.#serve()
  }
  snapshot(): EnumeratorState {
    return { pending: [...this.#pending], known: [...this.#known], listed: this.#listed }
  }
  close(): void {}

  #found(files: FoundFile[]): void {
    for (const file of files) {
      // An empty file may be one that is just being written.
      if (this.#known.has(file.path) || file.bytes === 0) continue
      this.#pending.push(...cut(file, this.#known.size, this.#options))
      this.#known.add(file.path)
    }
    this.#listed = true
    this.#looked = true
    this.#serve()
  }

  #serve(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      const { subtask } = one
      const split = this.#pending.shift()
      if (split !== undefined) this.#context.assign(split, subtask)
      else if (this.#listed && this.#options.watchMs === undefined) this.#context.noMoreSplits(subtask)
      else {
        this.#waiting.push(one)
        if (this.#looked && !one.knows) {
          one.knows = true
          this.#context.noSplitsNow(subtask)
        }
      }
    }
  }
}

/** Parts of about equal size, none above `splitBytes`; one part where records cannot be found from the middle. */
function cut({ path, bytes }: FoundFile, file: number, { splittable, splitBytes }: EnumeratorOptions): FileSplit[] {
  const parts = splittable ? Math.ceil(bytes / splitBytes) : 1
  return Array.from({ length: parts }, (_, i) => {
    const start = Math.floor((i * bytes) / parts)
    const end = i === parts - 1 ? null : Math.floor(((i + 1) * bytes) / parts)
    return { id: `${path}:${start}`, path, file, start, end }
  })
}
