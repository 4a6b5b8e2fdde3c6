/**
 * chain: what an operator of a chain costs for each record, with 3 and with 12 operators between a source and a counting sink: maps that make a
 * new record, filters that let all pass, and flatMaps that emit one. Two chains of each length, built as a slot builds them; the
 * figures are differences to the chain without operators.
 *
 * `cpuNsPerRecord` is that of the whole chain of 12.
 */

import type { ChainedOperator, JobVertex } from '../../runtime/graph/model.ts'
import type { OperatorSpec } from '../../runtime/graph/operator-spec.ts'
import { buildChain } from '../../runtime/taskmanager/chain.ts'
import { fakeContext } from '../../runtime/testing/operator-context.ts'
import type { Event } from '../event.ts'
import { Count } from '../jobs/functions.ts'
import { type CaseInput, type Figures, Meter, round } from '../measure.ts'
import type { Driver } from './chain-driver.ts'

const INSTANCES = 2
const PER_TURN = 512
const LENGTHS = [0, 3, 12]

/** Functions anew for each operator, as those of a program are. */
const KINDS: (() => OperatorSpec)[] = [
  () => ({
    module: 'map',
    options: { fn: (e: Event) => ({ ts: e.ts, key: e.key, value: e.value + 1, payload: e.payload }) },
  }),
  () => ({ module: 'filter', options: { fn: (e: Event) => e.value >= 0 } }),
  () => ({
    module: 'flat-map',
    options: {
      fn: (e: Event, out: { collect(e: Event): void }) => {
        out.collect(e)
      },
    },
  }),
]

export async function run({ records }: CaseInput): Promise<Figures> {
  const figures: Figures[] = []
  for (const length of LENGTHS) figures.push(await measure(length, records))
  const [none, three, twelve] = figures as [Figures, Figures, Figures]
  return {
    ...twelve,
    nsPerOperator3: round((three.cpuNsPerRecord - none.cpuNsPerRecord) / 3, 2),
    nsPerOperator12: round((twelve.cpuNsPerRecord - none.cpuNsPerRecord) / 12, 2),
    nsWithoutOperators: none.cpuNsPerRecord,
  }
}

async function measure(length: number, records: number): Promise<Figures> {
  const chains = await Promise.all(Array.from({ length: INSTANCES }, (_, instance) => build(length, instance)))
  push(chains, Math.min(records, 3_000_000))
  const before = chains.reduce((sum, chain) => sum + chain.count(), 0)
  const meter = new Meter()
  push(chains, records)
  return meter.figures(records, chains.reduce((sum, chain) => sum + chain.count(), 0) - before)
}

interface BuiltChain {
  driver: Driver
  count(): number
}

function push(chains: BuiltChain[], records: number): void {
  for (let i = 0, turn = 0; i < records; i += PER_TURN, turn++) {
    chains[turn % chains.length]!.driver.push(Math.min(PER_TURN, records - i))
  }
}

async function build(length: number, instance: number): Promise<BuiltChain> {
  const specs = Array.from({ length }, (_, i) => KINDS[i % KINDS.length]!())
  specs.push({ module: 'flat-map', options: { fn: new Count() } })
  const operators = specs.map((spec, i) => {
    const node = { spec, isSource: false, isSink: false } as ChainedOperator['node']
    return { operatorId: `${i}`, node, name: `${spec.module} ${i}`, parent: i - 1, tag: undefined }
  })
  const vertex = { operators, outputs: [], inputs: [] } as unknown as JobVertex
  const chain = await buildChain(vertex, [], { autoWatermarkIntervalMs: 200 })
  const contexts = chain.links.map((link) => fakeContext({ copy: link.copy, subtask: instance }))
  for (let i = chain.links.length - 1; i >= 0; i--) await chain.links[i]!.operator.open(contexts[i]!)
  const url = new URL(`./chain-driver.ts?n=${length}.${instance}`, import.meta.url).href
  const { Driver } = (await import(url)) as typeof import('./chain-driver.ts')
  return { driver: new Driver(chain.links[0]!.operator), count: () => contexts.at(-1)!.accumulators.out! }
}
