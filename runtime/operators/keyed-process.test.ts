import { describe, expect, it } from 'vitest'
import {
  type Collector,
  type Key,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type OnTimerContext,
  type RuntimeContext,
} from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { OutputTag } from '../core/output-tag.ts'
import {
  type AggregatingState,
  AggregatingStateDescriptor,
  type ReducingState,
  ReducingStateDescriptor,
  type ValueState,
  ValueStateDescriptor,
} from '../core/state.ts'
import { StateTtlConfig } from '../core/state-ttl.ts'
import { type FakeContextOptions, openOperator } from '../testing/operator-context.ts'
import { barrier, restoredFrom, takeSnapshot } from '../testing/snapshots.ts'
import { Operator } from './keyed-process.ts'

interface Click {
  user: Key
  at?: number
}

/** A function made of lambdas. */
class Fn extends KeyedProcessFunction<any, any, any> {
  state!: ValueState<number>
  readonly element: (
    value: any,
    context: KeyedProcessContext<any>,
    out: Collector<any>,
    state: ValueState<number>,
  ) => void
  readonly timer: (
    timestamp: number,
    context: OnTimerContext<any>,
    out: Collector<any>,
    state: ValueState<number>,
  ) => void
  constructor(element: Fn['element'], timer: Fn['timer'] = () => {}) {
    super()
    this.element = element
    this.timer = timer
  }
  override open(context: RuntimeContext): void {
    this.state = context.getState(new ValueStateDescriptor<number>('n'))
  }
  override processElement(value: any, context: KeyedProcessContext<any>, out: Collector<any>): void {
    this.element(value, context, out, this.state)
  }
  override onTimer(timestamp: number, context: OnTimerContext<any>, out: Collector<any>): void {
    this.timer(timestamp, context, out, this.state)
  }
}

async function open(fn: KeyedProcessFunction<any, any, any>, options?: FakeContextOptions) {
  const keyOf = (click: Click) => click.user
  const opened = await openOperator(new Operator({ fn, keyOf }), { operatorName: 'clicks', ...options })
  const send = (click: Click, timestamp = -Infinity) => opened.operator.process(click, timestamp, hashKey(click.user))
  return { ...opened, send }
}

describe('KeyedProcessFunction', () => {
  it('has state of the record’s key, and its timestamp', async () => {
    const { send, out, operator, context } = await open(
      new Fn((_click, context, out, state) => {
        state.update((state.value() ?? 0) + 1)
        out.collect([context.getCurrentKey(), state.value(), context.timestamp()])
      }),
    )
    send({ user: 'ann' }, 5)
    send({ user: 'bob' })
    send({ user: 'ann' }, -3)
    expect(out.records).toEqual([
      { type: 'record', value: ['ann', 1, 5], timestamp: 5 },
      { type: 'record', value: ['bob', 1, null], timestamp: -Infinity },
      { type: 'record', value: ['ann', 2, -3], timestamp: -3 },
    ])
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(3)
  })

  it('emits to side outputs with the current timestamp', async () => {
    const tag = new OutputTag<string>('audit')
    const { send, context, operator } = await open(
      new Fn(
        (_click, context) => {
          context.output(tag, 'seen')
          context.timerService.registerEventTimeTimer(50)
        },
        (_t, context) => context.output(tag, 'timer'),
      ),
    )
    send({ user: 'ann' }, 7)
    operator.watermark(50)
    expect(context.sides.get('audit')!.records).toEqual([
      { type: 'record', value: 'seen', timestamp: 7 },
      { type: 'record', value: 'timer', timestamp: 50 },
    ])
  })

  it('fires event timers in the order of their times, before the watermark goes on [PF-04, E-14]', async () => {
    const { send, operator, out, context } = await open(
      new Fn(
        (click, context) => context.timerService.registerEventTimeTimer(click.at),
        (timestamp, context, out, state) => {
          state.update((state.value() ?? 0) + 1)
          out.collect([
            context.getCurrentKey(),
            timestamp,
            context.timeDomain,
            context.timestamp(),
            context.timerService.currentWatermark(),
            state.value(),
          ])
        },
      ),
    )
    for (const at of [30, 10, 20]) for (const user of ['a', 'b']) send({ user, at: at + (user === 'b' ? 1 : 0) })
    send({ user: 'a', at: 10 })
    operator.watermark(9)
    operator.watermark(21)
    expect(out.events.map((e) => (e.type === 'record' ? e.value : e))).toEqual([
      { type: 'watermark', timestamp: 9 },
      ['a', 10, 'event', 10, 21, 1],
      ['b', 11, 'event', 11, 21, 1],
      ['a', 20, 'event', 20, 21, 2],
      ['b', 21, 'event', 21, 21, 2],
      { type: 'watermark', timestamp: 21 },
    ])
    expect(out.records.map((r) => r.timestamp)).toEqual([10, 11, 20, 21])
    operator.publish()
    expect(context.metric('numFiredTimers')).toBe(4)
  })

  it('fires in the same pass what a timer registers for a time that is reached [PF-04]', async () => {
    const { send, operator, out } = await open(
      new Fn(
        (_click, context) => context.timerService.registerEventTimeTimer(10),
        (timestamp, context, out) => {
          out.collect(timestamp)
          if (timestamp < 30) context.timerService.registerEventTimeTimer(timestamp + 10)
        },
      ),
    )
    send({ user: 'a' })
    operator.watermark(25)
    expect(out.values).toEqual([10, 20])
    operator.watermark(30)
    expect(out.values).toEqual([10, 20, 30])
  })

  it('forgets a timer that is deleted, and nothing else', async () => {
    const { send, operator, out, context } = await open(
      new Fn(
        (click, { timerService }) => {
          timerService.registerEventTimeTimer(10)
          timerService.registerProcessingTimeTimer(10)
          if (click.user === 'a') {
            timerService.deleteEventTimeTimer(10)
            timerService.deleteEventTimeTimer(99)
          } else {
            timerService.deleteProcessingTimeTimer(10)
          }
        },
        (_t, context, out) => out.collect(`${context.timeDomain} ${context.getCurrentKey()}`),
      ),
    )
    send({ user: 'a' })
    send({ user: 'b' })
    operator.watermark(10)
    context.advanceTo(11)
    expect(out.values).toEqual(['event b', 'processing a'])
  })

  it('fires a processing timer 1 ms after its time, without a timestamp [PF-05, PF-06]', async () => {
    const { send, out, context } = await open(
      new Fn(
        (_click, { timerService }) =>
          timerService.registerProcessingTimeTimer(timerService.currentProcessingTime() + 5),
        (timestamp, context, out, state) => {
          state.update((state.value() ?? 0) + 1)
          out.collect([timestamp, context.timestamp(), context.timerService.currentProcessingTime(), state.value()])
        },
      ),
      { startMs: 100 },
    )
    send({ user: 'a' }, 7)
    context.advanceTo(105)
    expect(out.values).toEqual([])
    context.advanceTo(106)
    expect(out.records).toEqual([{ type: 'record', value: [105, null, 106, 1], timestamp: -Infinity }])
  })

  it('fires a processing timer in the past at once', async () => {
    const { send, out, context } = await open(
      new Fn(
        (_click, { timerService }) => timerService.registerProcessingTimeTimer(3),
        (timestamp, _context, out) => out.collect(timestamp),
      ),
      { startMs: 1000 },
    )
    send({ user: 'a' })
    expect(out.values).toEqual([])
    context.advance(0)
    expect(out.values).toEqual([3])
  })

  it('at the end of the input fires event timers, and no processing timers [PF-07]', async () => {
    const { send, operator, out, context } = await open(
      new Fn(
        (_click, { timerService }) => {
          timerService.registerEventTimeTimer(1e15)
          timerService.registerEventTimeTimer(Infinity)
          timerService.registerProcessingTimeTimer(10)
        },
        (timestamp, context, out) => out.collect(`${context.timeDomain} ${timestamp}`),
      ),
    )
    send({ user: 'a' })
    operator.watermark(Infinity)
    operator.finish()
    await operator.close()
    expect(out.values).toEqual(['event 1000000000000000', 'event Infinity'])
    expect(context.timers).toEqual([])
  })

  it('takes turns in a long burst, and forwards the watermark behind it', async () => {
    const { send, operator, out, context } = await open(
      new Fn(
        (click, { timerService }) => timerService.registerEventTimeTimer(click.at),
        (timestamp, _context, out) => out.collect(timestamp),
      ),
    )
    for (let at = 0; at < 5000; at++) send({ user: at % 7, at })
    context.blocked = true
    operator.watermark(4999)
    expect(operator.busy).toBe(true)
    expect(out.values.length).toBeLessThan(100)
    operator.resume()
    expect(operator.busy).toBe(true)
    context.blocked = false
    let turns = 0
    while (operator.busy) {
      operator.resume()
      turns++
    }
    expect(turns).toBeGreaterThan(1)
    expect(out.values).toEqual(Array.from({ length: 5000 }, (_, i) => i))
    expect(out.events.at(-1)).toEqual({ type: 'watermark', timestamp: 4999 })
    expect(out.watermarks).toHaveLength(1)
  })

  it('fires processing timers that come due in a burst of event timers after it', async () => {
    const { send, operator, out, context } = await open(
      new Fn(
        (click, { timerService }) => {
          timerService.registerEventTimeTimer(click.at)
          if (click.at === 0) timerService.registerProcessingTimeTimer(5)
        },
        (_t, context, out) => out.collect(context.timeDomain),
      ),
    )
    for (let at = 0; at < 1000; at++) send({ user: 'a', at })
    context.blocked = true
    operator.watermark(999)
    context.advanceTo(10)
    context.blocked = false
    while (operator.busy) operator.resume()
    expect(out.values).toEqual([...Array.from({ length: 1000 }, () => 'event'), 'processing'])
    expect(out.watermarks).toEqual([999])
  })

  it.each<Key>([1, 'x', true, 5n, [1, ['a']], new Uint8Array([1, 2])])(
    'knows the key %o again in a timer',
    async (user) => {
      const { send, operator, out } = await open(
        new Fn(
          (_click, context, _out, state) => {
            state.update(7)
            context.timerService.registerEventTimeTimer(1)
          },
          (_t, context, out, state) => out.collect([context.getCurrentKey(), state.value()]),
        ),
      )
      send({ user })
      operator.watermark(1)
      expect(out.values).toEqual([[user, 7]])
    },
  )

  it('has no state and no timers without a key', async () => {
    const fn = new Fn(() => {})
    const { send, operator } = await open(fn)
    const error = (action: () => unknown) => {
      try {
        action()
      } catch (e) {
        return (e as { code: string }).code
      }
      return undefined
    }
    expect(error(() => fn.state.value())).toBe('TR-STATE-002')
    expect(error(() => operator.calls.ctx.registerEventTimeTimer(1))).toBe('TR-STATE-002')
    send({ user: 'a' })
    expect(error(() => operator.calls.ctx.registerEventTimeTimer(1))).toBeUndefined()
    operator.finish()
    expect(error(() => fn.state.value())).toBe('TR-STATE-002')
    expect(error(() => operator.calls.ctx.deleteProcessingTimeTimer(1))).toBe('TR-STATE-002')
  })

  it('refuses a timer at a time that is none', async () => {
    const { send } = await open(new Fn((click, context) => context.timerService.registerEventTimeTimer(click.at)))
    expect(() => send({ user: 'a', at: Number.NaN })).toThrow(/Cannot use a timer at NaN in operator "clicks"/)
    expect(() => send({ user: 'a' })).toThrow(RangeError)
  })

  it('opens and closes its function', async () => {
    const calls: string[] = []
    class Life extends KeyedProcessFunction<any, any, any> {
      override open(context: RuntimeContext) {
        calls.push(`open ${context.task.operatorName}`)
      }
      override processElement() {}
      override finish() {
        calls.push('finish')
      }
      override close() {
        calls.push('close')
      }
    }
    const { operator } = await open(new Life())
    operator.finish()
    await operator.close()
    await operator.close()
    expect(calls).toEqual(['open clicks', 'finish', 'close'])
  })

  it('closes without having been opened', async () => {
    const operator = new Operator({ fn: new Fn(() => {}), keyOf: (x) => x })
    await operator.close()
    expect(operator.busy).toBe(false)
  })
})

describe('state with a time to live', () => {
  /** Counts clicks per user, until a user has been away for a second. */
  class Visits extends KeyedProcessFunction<string, Click, unknown> {
    #clicks!: ReducingState<number>
    #span!: AggregatingState<number, number>
    override open(context: RuntimeContext): void {
      const clicks = new ReducingStateDescriptor<number>('clicks', (a, b) => a + b)
      const span = new AggregatingStateDescriptor('span', {
        createAccumulator: () => ({ from: Infinity, to: -Infinity }),
        add: (at: number, a) => ({ from: Math.min(a.from, at), to: Math.max(a.to, at) }),
        getResult: ({ from, to }) => to - from,
      })
      for (const state of [clicks, span]) state.enableTimeToLive(StateTtlConfig.newBuilder('1 s').build())
      this.#clicks = context.getReducingState(clicks)
      this.#span = context.getAggregatingState(span)
    }
    override processElement(click: Click, _context: unknown, out: Collector<unknown>): void {
      this.#clicks.add(1)
      this.#span.add(click.at!)
      out.collect([click.user, this.#clicks.get(), this.#span.get()])
    }
  }

  it('expires by the clock of the task, and through a checkpoint', async () => {
    const { send, context, operator, out } = await open(new Visits(), { startMs: 5000 })
    send({ user: 'ann', at: 10 })
    context.advance(600)
    send({ user: 'bob', at: 20 })
    send({ user: 'ann', at: 40 })
    context.advance(600)
    send({ user: 'ann', at: 45 })
    const taken = await takeSnapshot(operator, barrier(1))
    context.advance(1000)
    send({ user: 'ann', at: 70 })
    expect(out.values).toEqual([
      ['ann', 1, 0],
      ['bob', 1, 0],
      ['ann', 2, 30],
      ['ann', 3, 35],
      ['ann', 1, 0],
    ])
    const next = await open(new Visits(), { startMs: 6599, restored: restoredFrom([taken], 0, 1) })
    next.send({ user: 'bob', at: 50 })
    next.send({ user: 'ann', at: 60 })
    next.context.advance(601)
    next.send({ user: 'cal', at: 70 })
    next.context.advance(999)
    next.send({ user: 'ann', at: 80 })
    expect(next.out.values).toEqual([
      ['bob', 2, 30],
      ['ann', 4, 50],
      ['cal', 1, 0],
      ['ann', 1, 0],
    ])
  })
})
