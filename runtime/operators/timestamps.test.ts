import { describe, expect, it } from 'vitest'
import { type WatermarkOutput, WatermarkStrategy } from '../core/watermarks.ts'
import { openOperator } from '../testing/operator-context.ts'
import { Operator } from './timestamps.ts'

const open = (strategy: WatermarkStrategy<number>, autoWatermarkIntervalMs = 200) =>
  openOperator(new Operator<number>({ strategy, autoWatermarkIntervalMs }))

describe('timestamps operator', () => {
  it('replaces timestamps and emits watermarks of its own on the timer', async () => {
    const { operator, context, out } = await open(
      WatermarkStrategy.forBoundedOutOfOrderness<number>(5).withTimestampAssigner((v, ts) => v + ts),
    )
    operator.process(100, 7)
    operator.process(90, 7)
    expect(out.records.map((r) => r.timestamp)).toEqual([107, 97])
    expect(out.watermarks).toEqual([])
    context.advance(200)
    expect(out.watermarks).toEqual([101])
  })

  it('swallows watermarks and idleness from upstream except the end', async () => {
    const { operator, context, out } = await open(WatermarkStrategy.forMonotonousTimestamps<number>())
    operator.process(1, 50)
    operator.watermark(40)
    operator.status(true)
    expect(out.events).toHaveLength(1)
    operator.watermark(Infinity)
    operator.watermark(Infinity)
    context.advance(1000)
    expect(out.watermarks).toEqual([49, Infinity])
    expect(out.statuses).toEqual([])
    expect(context.metric('numRecordsOut')).toBe(1)
  })

  it('emits punctuated watermarks after their record', async () => {
    const { operator, out } = await open(
      WatermarkStrategy.forGenerator<number>(() => ({
        onEvent: (_value: number, ts: number, output: WatermarkOutput) => output.emitWatermark(ts),
        onPeriodicEmit() {},
      })),
    )
    operator.process(1, 50)
    expect(out.events.map((e) => e.type)).toEqual(['record', 'watermark'])
  })

  it('falls idle after the timeout and is active again with the next record', async () => {
    const { operator, context, out } = await open(
      WatermarkStrategy.forMonotonousTimestamps<number>().withIdleness('1 s'),
    )
    operator.process(1, 50)
    context.advance(2000)
    operator.process(2, 60)
    expect(out.events.map((e) => (e.type === 'status' ? e.idle : e.type))).toEqual([
      'record',
      'watermark',
      true,
      false,
      'record',
    ])
    context.advance(2000)
    operator.watermark(Infinity)
    expect(out.statuses).toEqual([true, false, true, false])
    operator.close()
    expect(context.timers).toEqual([])
  })
})
