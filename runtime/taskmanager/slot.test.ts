/**
 * Slots driven by the least JobManager that can: it wires, starts, routes splits and agrees on types. Everything in one thread.
 */
import { describe, expect, it } from 'vitest'
import { GraphBuilder } from '../api/graph-builder.ts'
import { sequenceSource } from '../connectors/sequence/index.ts'
import type { RuntimeContext } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { subtaskOfKeyGroup } from '../core/key-groups.ts'
import type { EnumeratorContext } from '../core/source.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { compileJobGraph } from '../graph/compile.ts'
import { planWithMaxParallelism } from '../graph/max-parallelism.ts'
import type { JobConfig, LogicalNode, Partitioner, Plan } from '../graph/model.ts'
import { buildPlan } from '../graph/plan.ts'
import { assignSlots } from '../graph/slots.ts'
import { MetricsPage } from '../metrics/page.ts'
import { allocateWiring } from '../network/wiring.ts'
import { portPair } from '../rpc/port.ts'
import type { FromSlot, ToSlot } from '../rpc/slot-messages.ts'
import { Slot } from './slot.ts'

const config = (parallelism: number, options: Record<string, string>): JobConfig => ({
  jobName: 'test',
  parallelism,
  maxParallelism: undefined,
  bufferTimeoutMs: 5,
  autoWatermarkIntervalMs: 200,
  chaining: true,
  autoGenerateUids: true,
  parameters: {},
  options,
})

interface Outcome {
  values: any[]
  states: string[]
  error?: { code: string; message: string; operator?: string; stack: string }
  accumulators: Record<string, number>
}

type Build = (
  add: (
    name: string,
    module: string,
    options: any,
    from?: LogicalNode,
    partitioner?: Partitioner,
    isSink?: boolean,
  ) => LogicalNode,
) => void

/** Runs a graph to its end. */
async function run(
  parallelism: number,
  build: Build,
  options: Record<string, string> = {},
  change: (plan: Plan) => Plan = (plan) => plan,
): Promise<Outcome> {
  // Each slot builds the graph again, as it does from a program: function objects are its own.
  const buildGraph = () => {
    const builder = new GraphBuilder()
    build((name, module, options, from, partitioner = { kind: 'auto' }, isSink = false) =>
      builder.add({
        name,
        spec: { module, options },
        inputs: from === undefined ? [] : [{ node: from, tag: undefined, partitioner }],
        isSource: module === 'source',
        isSink,
      }),
    )
    return builder.build(config(parallelism, options))
  }
  const logical = buildGraph()
  const plan = change(buildPlan(compileJobGraph(logical)))
  const { slotCount, vertices } = assignSlots(plan)
  const slots = Object.fromEntries(vertices.map((v) => [v.vertexId, v.slots]))
  const wiring = allocateWiring(plan, slots)
  const outcome: Outcome = { values: [], states: [], accumulators: {} }
  await new Promise<void>((resolve) => {
    let deployed = 0
    let ended = 0
    const total = vertices.reduce((n, v) => n + v.slots.length, 0)
    const ports: ReturnType<typeof portPair<ToSlot, FromSlot>>[0][] = []
    const agreed = new Set<number>()
    const enumerators = new Map<string, any>()
    const to = (vertexId: string, subtask: number, message: ToSlot) => ports[slots[vertexId]![subtask]!]!.post(message)
    const enumerator = (vertexId: string) => {
      let known = enumerators.get(vertexId)
      if (known === undefined) {
        const vertex = compileJobGraph(logical).vertices.find((v) => v.id === vertexId)!
        const context: EnumeratorContext<any> = {
          parallelism: vertex.parallelism,
          readers: () => [],
          assign: (split, subtask) => to(vertexId, subtask, { type: 'splits', vertexId, subtask, splits: [split] }),
          noMoreSplits: (subtask) => to(vertexId, subtask, { type: 'noMoreSplits', vertexId, subtask }),
          sendEvent: () => {},
          callAsync: () => {},
        }
        known = vertex.operators[0]!.node.spec.options.source.createEnumerator(context)
        known.start()
        enumerators.set(vertexId, known)
      }
      return known
    }
    for (let slotIndex = 0; slotIndex < slotCount; slotIndex++) {
      const [port, slotPort] = portPair<ToSlot, FromSlot>()
      ports.push(port)
      port.onMessage((message) => {
        switch (message.type) {
          case 'ready':
            port.post({
              type: 'deploy',
              deployment: {
                jobId: 'job',
                attempt: 0,
                slotIndex,
                program: { url: '', args: [], parameters: {}, options: {} },
                replay: { executeIndex: 0, results: [], once: {} },
                plan,
                subtasks: vertices.flatMap((v) =>
                  v.slots.flatMap((s, subtask) => (s === slotIndex ? [{ vertexId: v.vertexId, subtask }] : [])),
                ),
                wiring,
                page: MetricsPage.allocate(),
                edgeTypes: {},
                checkpointing: undefined,
                restore: undefined,
              },
            })
            break
          case 'deployed':
            if (++deployed === slotCount) for (const p of ports) p.post({ type: 'start' })
            break
          case 'deployFailed':
            outcome.error = message.error
            resolve()
            break
          case 'taskState':
            outcome.states.push(message.state)
            if (
              message.state === 'RUNNING' &&
              compileJobGraph(logical).vertices.find((v) => v.id === message.vertexId)!.inputs.length === 0
            ) {
              enumerator(message.vertexId).addReader(message.subtask)
            }
            if (message.accumulators !== undefined) {
              for (const [name, value] of Object.entries(message.accumulators))
                outcome.accumulators[name] = (outcome.accumulators[name] ?? 0) + value
            }
            if (message.state === 'FAILED') {
              outcome.error = message.error!
              for (const p of ports) p.post({ type: 'cancel' })
            }
            if (['FINISHED', 'FAILED', 'CANCELED'].includes(message.state) && ++ended === total) resolve()
            break
          case 'splitRequest':
            enumerator(message.vertexId).handleSplitRequest(message.subtask)
            break
          case 'proposeType':
            if (agreed.has(message.edgeId)) break
            agreed.add(message.edgeId)
            for (const p of ports) p.post({ type: 'edgeType', edgeId: message.edgeId, edgeType: message.edgeType })
            break
          case 'collected':
            outcome.values.push(...message.values)
            port.post({
              type: 'collectAck',
              collectId: message.collectId,
              subtask: message.subtask,
              count: message.values.length,
            })
            break
        }
      })
      new Slot({ port: slotPort, buildGraph: async () => buildGraph() })
    }
  })
  return outcome
}

const numbers = (count: number) => ({ source: sequenceSource(1, count), strategy: WatermarkStrategy.noWatermarks() })
const sorted = (values: number[]) => [...values].sort((a, b) => a - b)

describe('Slot', () => {
  it('runs a chain to its end and closes what it opened', async () => {
    const life: string[] = []
    const outcome = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(10))
      const map = add(
        'times ten',
        'map',
        {
          fn: {
            open: () => void life.push('open'),
            map: (n: number) => n * 10,
            finish: () => void life.push('finish'),
            close: () => void life.push('close'),
          },
        },
        source,
      )
      add('collect', 'collect', { collectId: 'c' }, map, { kind: 'auto' }, true)
    })
    expect(outcome.values).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    expect(life).toEqual(['open', 'finish', 'close'])
    expect(outcome.states).toEqual(['RUNNING', 'FINISHED'])
  })

  it('cuts keys into as many groups as the deployed plan says, on both sides of the edge', async () => {
    const build: Build = (add) => {
      const source = add('numbers', 'source', numbers(500))
      let task: { subtaskIndex: number; parallelism: number; maxParallelism: number }
      const fn = {
        open: (context: RuntimeContext) => void (task = context.task),
        map: (n: number) => [n, task.subtaskIndex, task.maxParallelism],
      }
      const map = add('where', 'map', { fn }, source, { kind: 'key', keyOf: (n: number) => n })
      add('collect', 'collect', { collectId: 'c' }, map, { kind: 'global' }, true)
    }
    const { values, error } = await run(2, build, {}, (plan) =>
      planWithMaxParallelism(plan, { [plan.vertices.find((v) => v.name.startsWith('where'))!.id]: 5 }),
    )
    expect(error).toBeUndefined()
    expect(values).toHaveLength(500)
    for (const [n, subtask, max] of values)
      expect([subtask, max]).toEqual([subtaskOfKeyGroup(5, 2, (hashKey(n) >>> 0) % 5), 5])
  })

  it.each([
    ['rebalance', { kind: 'rebalance' }],
    ['shuffle', { kind: 'shuffle' }],
    ['key', { kind: 'key', keyOf: (v: { n: number }) => v.n % 17 }],
    ['global', { kind: 'global' }],
  ] as [string, Partitioner][])('loses and doubles nothing across a %s edge', async (_, partitioner) => {
    const outcome = await run(3, (add) => {
      const source = add('numbers', 'source', numbers(20_000))
      const map = add('row', 'map', { fn: (n: number) => ({ n, text: `number ${n}` }) }, source)
      const back = add(
        'back',
        'map',
        { fn: (v: { n: number; text: string }) => (v.text === `number ${v.n}` ? v.n : -1) },
        map,
        partitioner,
      )
      add('collect', 'collect', { collectId: 'c' }, back, { kind: 'global' }, true)
    })
    expect(outcome.error).toBeUndefined()
    expect(sorted(outcome.values)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1))
  })

  it('does not deadlock when one record becomes a million, over two shuffles, with one floating buffer', async () => {
    const n = 1_000_000
    const outcome = await run(
      2,
      (add) => {
        const source = add('one', 'source', numbers(1))
        const burst = add(
          'burst',
          'flat-map',
          {
            fn: function* () {
              for (let i = 0; i < n; i++) yield { i }
            },
          },
          source,
        )
        const again = add('again', 'map', { fn: (v: { i: number }) => ({ i: v.i, j: v.i * 2 }) }, burst, {
          kind: 'shuffle',
        })
        const counted = add(
          'count',
          'flat-map',
          {
            fn: {
              open(context: any) {
                this.counter = context.accumulator('count')
                this.sum = context.accumulator('sum')
              },
              flatMap(v: { i: number; j: number }) {
                this.counter.inc()
                this.sum.inc(v.j)
              },
            } as any,
          },
          again,
          { kind: 'key', keyOf: (v) => v.i },
        )
        add('collect', 'collect', { collectId: 'c' }, counted, { kind: 'auto' }, true)
      },
      { 'tailrace.exchange.buffers-per-slot': '1' },
    )
    expect(outcome.error).toBeUndefined()
    expect(outcome.accumulators).toEqual({ count: n, sum: n * (n - 1) })
  })

  it('names the operator and the line of a function that throws', async () => {
    const outcome = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(5))
      const fine = add('fine', 'map', { fn: (n: number) => n }, source)
      const bad = add(
        'third fails',
        'map',
        {
          fn: (n: number) => {
            if (n === 3) throw new Error('three is too much')
            return n
          },
        },
        fine,
      )
      add('collect', 'collect', { collectId: 'c' }, bad, { kind: 'auto' }, true)
    })
    expect(outcome.error).toMatchObject({
      code: 'TR-TASK-001',
      operator: 'third fails',
      message: expect.stringContaining('three is too much'),
    })
    expect(JSON.stringify(outcome.error)).toContain('slot.test.ts')
    expect(outcome.states).toEqual(['RUNNING', 'FAILED'])
  })

  it('names the operator whose open() throws', async () => {
    const outcome = await run(1, (add) => {
      const source = add('numbers', 'source', numbers(5))
      add(
        'no start',
        'map',
        {
          fn: {
            open: () => {
              throw new Error('no database')
            },
            map: (n: number) => n,
          },
        },
        source,
      )
    })
    expect(outcome.error).toMatchObject({ code: 'TR-TASK-001', operator: 'no start' })
  })
})
