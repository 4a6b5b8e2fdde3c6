import type { LogicalNode } from '../graph/model.ts'
import { setMaxParallelism, setName, setParallelism, setSlotSharingGroup, setUid } from './node-settings.ts'

/** The end of a stream. Its methods set the sink's operator. */
export class DataStreamSink {
  readonly #node: LogicalNode
  /** Behind the sink, if its committer is a global one. */
  readonly #globalCommitter: LogicalNode | undefined

  /** @internal Streams make sinks. */
  constructor(node: LogicalNode, globalCommitter?: LogicalNode) {
    this.#node = node
    this.#globalCommitter = globalCommitter
  }

  /** Shown in the plan, the page and metrics as `Sink: <name>`. */
  name(name: string): this {
    setName(this.#node, name)
    if (this.#globalCommitter !== undefined) setName(this.#globalCommitter, `${name}: Global Committer`)
    return this
  }
  /** State and transactions are found again under it; unique in the job. */
  uid(uid: string): this {
    setUid(this.#node, uid)
    if (this.#globalCommitter !== undefined) setUid(this.#globalCommitter, `${uid}: global committer`)
    return this
  }
  setDescription(description: string): this {
    this.#node.description = description
    return this
  }
  setParallelism(parallelism: number): this {
    setParallelism(this.#node, parallelism)
    return this
  }
  setMaxParallelism(maxParallelism: number): this {
    setMaxParallelism(this.#node, maxParallelism)
    return this
  }
  slotSharingGroup(group: string): this {
    setSlotSharingGroup(this.#node, group)
    return this
  }
  /** Runs the sink in a task of its own. */
  disableChaining(): this {
    this.#node.chaining = 'never'
    return this
  }
}
