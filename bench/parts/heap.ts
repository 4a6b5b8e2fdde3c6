/**
 * heap-10k, heap-1m: a KeyedProcessFunction that reads, changes and writes a ValueState per record, uniform keys, as an operator gets records: with the
 * hash that the sender computed. Two operators with the measured function, as two slots have, half of the keys each; one with a list and one with a map run before and share what they
 * can share.
 */
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  ListStateDescriptor,
  MapStateDescriptor,
  type RuntimeContext,
  ValueStateDescriptor,
} from 'tailrace'
import { hashNumber } from '../../runtime/core/hash.ts'
import { copiesOfThread, hotCopy } from '../../runtime/core/hot-copy.ts'
import type { BaseOperator } from '../../runtime/operators/operator.ts'
import { fakeContext } from '../../runtime/testing/operator-context.ts'
import { type CaseInput, type Figures, Meter } from '../measure.ts'

const INSTANCES = 2
const PER_TURN = 512
const WARM_UP = 1_000_000

export const keys10k = (input: CaseInput) => run(10_000, input)
export const keys1m = (input: CaseInput) => run(1_000_000, input)

interface Reading {
  key: number
  value: number
}

/** Reads, changes and writes one value. */
class SumPerKey extends KeyedProcessFunction<number, Reading, Reading> {
  #state!: import('tailrace').ValueState<{ count: number; sum: number }>
  override open(context: RuntimeContext): void {
    this.#state = context.getState(new ValueStateDescriptor<{ count: number; sum: number }>('total'))
  }
  processElement(reading: Reading, _context: KeyedProcessContext<number>, out: Collector<Reading>): void {
    const total = this.#state.value() ?? { count: 0, sum: 0 }
    total.count++
    total.sum += reading.value
    this.#state.update(total)
    if (total.count === 1) out.collect(reading)
  }
}

class LastThree extends KeyedProcessFunction<number, Reading, Reading> {
  #state!: import('tailrace').ListState<number>
  override open(context: RuntimeContext): void {
    this.#state = context.getListState(new ListStateDescriptor<number>('last'))
  }
  processElement(reading: Reading): void {
    const last = [...this.#state.get()]
    if (last.length === 3) last.shift()
    last.push(reading.value)
    this.#state.update(last)
  }
}

class CountPerValue extends KeyedProcessFunction<number, Reading, Reading> {
  #state!: import('tailrace').MapState<number, number>
  override open(context: RuntimeContext): void {
    this.#state = context.getMapState(new MapStateDescriptor<number, number>('counts'))
  }
  processElement(reading: Reading): void {
    const bucket = reading.value & 3
    this.#state.put(bucket, (this.#state.get(bucket) ?? 0) + 1)
  }
}

async function run(keyCount: number, { records }: CaseInput): Promise<Figures> {
  // Made beforehand and read in order: neither drawing keys nor hashing them is measured.
  const keys = Int32Array.from({ length: 1 << 22 }, (_, i) => scatter(i) % (keyCount / INSTANCES))
  const hashes = Uint32Array.from(keys, (key) => hashNumber(key))
  const others = [await open(new LastThree()), await open(new CountPerValue())]
  push(others, keys, hashes, WARM_UP)
  const operators = await Promise.all(Array.from({ length: INSTANCES }, () => open(new SumPerKey())))
  push(operators, keys, hashes, Math.max(WARM_UP, keyCount * 4))
  const meter = new Meter()
  push(operators, keys, hashes, records)
  const distinct = operators.reduce((sum, operator) => sum + operator.received(), 0)
  return { ...meter.figures(records, distinct), keys: keyCount }
}

interface Opened {
  operator: BaseOperator
  received(): number
}

async function open(fn: KeyedProcessFunction<number, Reading, Reading>): Promise<Opened> {
  const copy = copiesOfThread.acquire()
  const { Operator } = await hotCopy<{ Operator: new (options: object) => BaseOperator }>(
    'operators/keyed-process',
    copy,
  )
  const operator = new Operator({ fn, keyOf: (reading: Reading) => reading.key })
  let received = 0
  operator.next = {
    process() {
      received++
    },
    watermark() {},
    status() {},
  }
  await operator.open(fakeContext({ copy }))
  return { operator, received: () => received }
}

function push(opened: Opened[], keys: Int32Array, hashes: Uint32Array, records: number): void {
  for (let i = 0, turn = 0; i < records; turn++) {
    const { operator } = opened[turn % opened.length]!
    for (let end = Math.min(i + PER_TURN, records); i < end; i++) {
      const at = i & (keys.length - 1)
      operator.process({ key: keys[at]!, value: i & 1023 }, i, hashes[at]!)
    }
  }
}

function scatter(i: number): number {
  let h = Math.imul(i ^ (i >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
