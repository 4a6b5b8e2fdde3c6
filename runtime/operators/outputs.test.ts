/** print, collect and sink: operators that end a stream. */
import { describe, expect, test } from 'vitest'
import type { Sink, SinkContext, SinkWriter } from '../core/sink.ts'
import { openOperator } from '../testing/operator-context.ts'
import { BATCH_MAX, Operator as Collect, UNACKNOWLEDGED_MAX } from './collect.ts'
import { Operator as Print } from './print.ts'
import { FLUSH_INTERVAL_MS, Operator as SinkOperator } from './sink.ts'

describe('print', () => {
  const prefixes: [prefix: string | undefined, parallelism: number, line: string][] = [
    [undefined, 1, 'a\n'],
    [undefined, 3, '2> a\n'],
    ['late', 1, 'late> a\n'],
    ['late', 3, 'late:2> a\n'],
  ]
  test.each(prefixes)('with prefix %s at parallelism %i writes %j', async (prefix, parallelism, line) => {
    const { operator, context } = await openOperator(new Print({ stream: 'stdout', prefix }), {
      parallelism,
      subtask: parallelism - 2 > 0 ? 1 : 0,
    })
    operator.process('a')
    operator.publish()
    expect(context.printed).toEqual([{ stream: 'stdout', text: line }])
  })

  test('shows objects whole, on one line each', async () => {
    const { operator, context } = await openOperator(new Print({ stream: 'stderr' }))
    const deep = { user: 'u', tags: Array.from({ length: 120 }, (_, i) => i), a: { b: { c: { d: 1 } } } }
    for (const value of [deep, 1, true, null, 2n, ['x', 'y']]) operator.process(value)
    operator.publish()
    const [only] = context.printed
    const lines = only!.text.split('\n')
    expect(lines).toHaveLength(7)
    expect(lines[0]).toMatch(/^\{ user: 'u', tags: \[.*119\s*\], a: \{ b: \{ c: \{ d: 1 \} \} \} \}$/)
    expect(lines.slice(1)).toEqual(['1', 'true', 'null', '2n', "[ 'x', 'y' ]", ''])
    expect(only!.stream).toBe('stderr')
  })

  test('gathers lines of a turn, up to a bound, and loses none at the end or a failure', async () => {
    const { operator, context } = await openOperator(new Print({ stream: 'stdout' }))
    operator.process('x'.repeat(20_000))
    expect(context.printed).toHaveLength(0)
    operator.process('y'.repeat(20_000))
    expect(context.printed).toHaveLength(1)
    operator.process('at the end')
    operator.finish()
    operator.process('at a failure')
    operator.close()
    operator.close()
    expect(context.printed.slice(1).map((p) => p.text)).toEqual(['at the end\n', 'at a failure\n'])
    operator.publish()
    expect([context.metric('numRecordsSend'), context.metric('numRecordsOut')]).toEqual([4, 4])
  })

  test('keeps time to itself', async () => {
    const { operator, out } = await openOperator(new Print({ stream: 'stdout' }))
    operator.watermark()
    operator.status()
    expect(out.events).toEqual([])
  })
})

describe('collect', () => {
  test('sends batches, and the rest at the end of a turn and of the input', async () => {
    const { operator, context } = await openOperator(new Collect({ collectId: 'c' }))
    for (let i = 0; i < BATCH_MAX + 2; i++) operator.process(i)
    expect(context.collected.map((c) => c.values.length)).toEqual([BATCH_MAX])
    operator.publish()
    operator.process('last')
    operator.finish()
    expect(context.collected.map((c) => c.values.length)).toEqual([BATCH_MAX, 2, 1])
    expect(context.collected.flatMap((c) => c.values)).toEqual([...Array(BATCH_MAX + 2).keys(), 'last'])
    expect(new Set(context.collected.map((c) => c.collectId))).toEqual(new Set(['c']))
  })

  test('takes no more while too many are not acknowledged, and wakes the task when it can', async () => {
    const { operator, context } = await openOperator(new Collect({ collectId: 'c' }))
    for (let i = 0; i < UNACKNOWLEDGED_MAX - 1; i++) operator.process(i)
    expect(operator.pending()).toBe(false)
    operator.process('one more')
    expect(operator.pending()).toBe(true)
    expect(context.wakes).toBe(0)
    context.acknowledge('c', 1)
    expect([operator.pending(), context.wakes]).toEqual([false, 1])
    context.acknowledge('c', BATCH_MAX)
    expect(context.wakes).toBe(1)
  })
})

class Recorder implements SinkWriter<string> {
  readonly calls: string[] = []
  full = false
  /** What flush answers; undefined: it is done at once. */
  flushed: Promise<void> | undefined
  write(value: string, timestamp: number): void {
    this.calls.push(`write ${value} ${timestamp}`)
  }
  pending(): boolean {
    return this.full
  }
  flush(endOfInput: boolean): void | Promise<void> {
    this.calls.push(`flush ${endOfInput}`)
    return this.flushed
  }
  writeWatermark(timestamp: number): void {
    this.calls.push(`watermark ${timestamp}`)
  }
  close(): void {
    this.calls.push('close')
  }
}

async function openSink(options?: Parameters<typeof openOperator>[1]) {
  const writer = new Recorder()
  let given: SinkContext | undefined
  const sink: Sink<string> = {
    createWriter(context) {
      given = context
      return writer
    },
  }
  const opened = await openOperator(new SinkOperator({ sink }), options)
  return { ...opened, writer, given: given! }
}

describe('sink', () => {
  test('opens a writer, gives it records and watermarks, flushes at the end and closes', async () => {
    const { operator, writer, context, out } = await openSink()
    operator.process('a', 1)
    operator.watermark(0)
    operator.status()
    operator.process('b', 2)
    operator.publish()
    await operator.finish()
    await operator.close()
    expect(writer.calls).toEqual(['write a 1', 'watermark 0', 'write b 2', 'flush true', 'close'])
    expect([context.metric('numRecordsSend'), context.metric('numRecordsOut')]).toEqual([2, 2])
    expect(context.timers).toEqual([])
    expect(out.events).toEqual([])
  })

  test('gives the writer its place, and ways to wake and fail the task', async () => {
    const { given, context } = await openSink({ subtask: 2, parallelism: 3, parameters: { p: 'v' } })
    expect([given.task.subtaskIndex, given.task.parallelism, given.parameters.p]).toEqual([2, 3, 'v'])
    given.accumulator('rows').inc(3)
    given.wake()
    given.fail('broken')
    expect([context.accumulators.rows, context.wakes, context.failures]).toEqual([3, 1, ['broken']])
    expect(() => given.getState(undefined as never)).toThrow(expect.objectContaining({ code: 'TR-STATE-002' }))
  })

  test('says when the writer is full', async () => {
    const { operator, writer } = await openSink()
    expect(operator.pending()).toBe(false)
    writer.full = true
    expect(operator.pending()).toBe(true)
  })

  test('flushes what was written once an interval, and only one flush at a time', async () => {
    const { operator, writer, context } = await openSink()
    const flushes = () => writer.calls.filter((call) => call.startsWith('flush')).length
    operator.publish()
    context.advance(10 * FLUSH_INTERVAL_MS)
    expect(flushes()).toBe(0)
    operator.process('a', 1)
    operator.publish()
    operator.process('b', 1)
    operator.publish()
    expect(context.timers).toHaveLength(1)
    let done: () => void = () => {}
    writer.flushed = new Promise<void>((resolve) => {
      done = resolve
    })
    context.advance(FLUSH_INTERVAL_MS)
    expect(flushes()).toBe(1)
    operator.process('c', 1)
    operator.publish()
    expect(context.timers).toHaveLength(0)
    done()
    await writer.flushed
    await Promise.resolve()
    await Promise.resolve()
    operator.process('d', 1)
    operator.publish()
    context.advance(FLUSH_INTERVAL_MS)
    expect(flushes()).toBe(2)
  })

  test('waits for the flush under way before the last one', async () => {
    const { operator, writer, context } = await openSink()
    operator.process('a', 1)
    operator.publish()
    let done: () => void = () => {}
    writer.flushed = new Promise<void>((resolve) => {
      done = resolve
    })
    context.advance(FLUSH_INTERVAL_MS)
    const finished = operator.finish()
    await Promise.resolve()
    expect(writer.calls).toEqual(['write a 1', 'flush false'])
    done()
    await finished
    expect(writer.calls).toEqual(['write a 1', 'flush false', 'flush true'])
  })

  test('a flush that fails fails the task with the code of sinks', async () => {
    const { operator, writer, context } = await openSink({ operatorName: 'files' })
    writer.flushed = Promise.reject(new Error('disk full'))
    operator.process('a', 1)
    operator.publish()
    context.advance(FLUSH_INTERVAL_MS)
    await expect.poll(() => context.failures).toHaveLength(1)
    expect(context.failures[0]).toMatchObject({
      code: 'TR-SINK-001',
      message: expect.stringMatching(/"files".*disk full/),
    })
    writer.flushed = Promise.reject(new Error('disk full'))
    const { operator: second, writer: w2 } = await openSink()
    w2.flushed = writer.flushed
    await expect(second.finish()).rejects.toMatchObject({ code: 'TR-SINK-001' })
  })

  test('closes nothing when no writer was made', async () => {
    const operator = new SinkOperator({
      sink: {
        createWriter() {
          throw new Error('no such directory')
        },
      },
    })
    await operator.close()
    await expect(openOperator(operator)).rejects.toThrow('no such directory')
    await operator.close()
  })
})
