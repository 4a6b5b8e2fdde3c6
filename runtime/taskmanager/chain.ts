/**
 * Builds the operators of one task: loads a copy of each operator's module, and joins them into a line or tree of receivers that ends
 * in record writers.
 */
import { type CopyNumbers, copiesOfThread, hotCopy } from '../core/hot-copy.ts'
import type { JobVertex } from '../graph/model.ts'
import type { RecordWriter } from '../network/record-writer.ts'
import type { CommitterSettings } from '../operators/committer-settings.ts'
import type { BaseOperator, Receiver } from '../operators/operator.ts'

type OperatorClass = new (options: any) => BaseOperator

/** An operator that stands in the chain. */
export interface ChainLink {
  readonly operator: BaseOperator
  /** Index in the vertex's operators. */
  readonly index: number
  readonly name: string
  readonly operatorId: string
  /** Copy number; appears in stack traces as `?n=`. */
  readonly copy: number
  /** Index of the link that feeds this one; -1 for the head. */
  readonly parent: number
  readonly tag: string | undefined
  readonly sideOutputs: ReadonlyMap<string, Receiver>
  /** Counts the records of the side output that feeds this operator; undefined when a main output does. */
  readonly fedBySide: CountingReceiver | undefined
}

export interface Chain {
  readonly links: readonly ChainLink[]
  /** Gives the copy numbers back. */
  release(): void
}

/** Where a chain ends that nobody reads: the output of a sink. */
const NOWHERE: Receiver = {
  process() {},
  watermark() {},
  status() {},
}

/** `writers[i]` belongs to `vertex.outputs[i]`. */
export async function buildChain(
  vertex: JobVertex,
  writers: readonly RecordWriter[],
  settings: { autoWatermarkIntervalMs: number; committer?: CommitterSettings; copies?: CopyNumbers },
): Promise<Chain> {
  const { acquire: next, release } = settings.copies ?? copiesOfThread
  const copies: number[] = []
  const acquire = () => {
    const n = next()
    copies.push(n)
    return n
  }
  const links: ChainLink[] = new Array(vertex.operators.length)
  const modules = await Promise.all(
    vertex.operators.map(async (operator) => {
      const copy = acquire()
      const module = await hotCopy<{ Operator: OperatorClass }>(`operators/${operator.node.spec.module}`, copy)
      return { Operator: module.Operator, copy }
    }),
  )
  for (let i = vertex.operators.length - 1; i >= 0; i--) {
    const { node, name, operatorId, parent, tag } = vertex.operators[i]!
    const { Operator, copy } = modules[i]!
    const { autoWatermarkIntervalMs, committer } = settings
    const ofJob = node.isSource ? { autoWatermarkIntervalMs } : node.isSink ? { committer } : undefined
    const operator = new Operator(ofJob === undefined ? node.spec.options : { ...ofJob, ...node.spec.options })
    const receivers = new Map<string | undefined, Receiver[]>()
    const add = (output: string | undefined, receiver: Receiver) => {
      const list = receivers.get(output)
      if (list === undefined) receivers.set(output, [receiver])
      else list.push(receiver)
    }
    for (const child of links) if (child?.parent === i) add(child.tag, child.fedBySide ?? child.operator)
    vertex.outputs.forEach((edge, e) => {
      if (edge.fromOperator === i) add(edge.tag, writers[e]!)
    })
    const joined = new Map<string | undefined, Receiver>()
    for (const [output, list] of receivers)
      joined.set(output, list.length === 1 ? list[0]! : await tee(list, acquire()))
    operator.next = joined.get(undefined) ?? NOWHERE
    joined.delete(undefined)
    links[i] = {
      operator,
      index: i,
      name,
      operatorId,
      copy,
      parent,
      tag,
      sideOutputs: joined as Map<string, Receiver>,
      fedBySide: tag === undefined ? undefined : new CountingReceiver(operator),
    }
    // Watermarks and status flow into side outputs too.
    if (joined.size > 0) operator.next = new Spread(operator.next, [...joined.values()])
  }
  return {
    links,
    release: () => {
      for (const n of copies) release(n)
    },
  }
}

/** Counts for metrics what a side output gives to a chained operator. */
class CountingReceiver implements Receiver {
  readonly #next: Receiver
  records = 0
  constructor(next: Receiver) {
    this.#next = next
  }
  process(value: any, timestamp: number): void {
    this.records++
    this.#next.process(value, timestamp)
  }
  watermark(timestampMs: number): void {
    this.#next.watermark(timestampMs)
  }
  status(idle: boolean): void {
    this.#next.status(idle)
  }
}

async function tee(receivers: Receiver[], copy: number): Promise<Receiver> {
  const { Tee } = await hotCopy<{ Tee: new (receivers: Receiver[]) => Receiver }>('operators/tee', copy)
  return new Tee(receivers)
}

/** The main output of an operator with side outputs: records to the main one, time to all. */
class Spread implements Receiver {
  readonly #main: Receiver
  readonly #sides: Receiver[]
  readonly process: Receiver['process']
  constructor(main: Receiver, sides: Receiver[]) {
    this.#main = main
    this.#sides = sides
    this.process = (value, timestamp) => main.process(value, timestamp)
  }
  watermark(timestampMs: number): void {
    this.#main.watermark(timestampMs)
    for (const side of this.#sides) side.watermark(timestampMs)
  }
  status(idle: boolean): void {
    this.#main.status(idle)
    for (const side of this.#sides) side.status(idle)
  }
}
