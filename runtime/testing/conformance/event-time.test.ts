/**
 * Runs the cases of windows.json that are about watermarks and idleness: the valve, the combination over splits, the idleness timer,
 * and the bounded generator.
 */
import { deepStrictEqual } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { NO_TIMESTAMP } from '../../core/clock.ts'
import { WatermarkStrategy } from '../../core/watermarks.ts'
import { WatermarkValve } from '../../network/valve.ts'
import { CombinedWatermark, type PartialWatermark } from '../../operators/combined-watermark.ts'
import { IdlenessTimer } from '../../operators/idleness-timer.ts'
import { createOutput } from '../../operators/watermark-output.ts'
import { type ConformanceCase, caseTime, loadCases, runCases } from './load.ts'

const file = loadCases('windows.json')

const drivers: Record<string, (one: ConformanceCase) => void> = {
  watermarkValve,
  watermarkMultiplexer,
  idlenessTimer,
  boundedOutOfOrderness: generator,
  ascendingTimestamps: generator,
}

describe.skipIf(file === undefined)('conformance: event time', () => {
  it('passes every case', async () => {
    const cases = file!.cases.filter((one) => one.operator in drivers)
    const outcomes = await runCases('windows.json, event time', cases, (one) => drivers[one.operator]!(one))
    expect([...outcomes].filter(([, outcome]) => outcome.status !== 'pass')).toEqual([])
    expect(outcomes.size).toBeGreaterThan(0)
  })
})

function unknownStep(step: { op: string }): never {
  throw new Error(`no driver for the step "${step.op}"`)
}

function watermarkValve(one: ConformanceCase): void {
  const out: unknown[] = []
  const valve = new WatermarkValve(one.channels, {
    watermark: (ts) => out.push({ watermark: ts }),
    status: (idle) => out.push({ status: idle ? 'IDLE' : 'ACTIVE' }),
  })
  for (const step of one.steps) {
    if (step.op === 'watermark') valve.inputWatermark(step.channel, caseTime(step.ts))
    else if (step.op === 'status') valve.inputStatus(step.channel, step.status === 'IDLE')
    else if (step.op === 'popOutput') {
      const expected =
        step.expect !== null && 'watermark' in step.expect
          ? { watermark: caseTime(step.expect.watermark) }
          : step.expect
      deepStrictEqual(out.shift() ?? null, expected)
    } else if (step.op === 'channelState') {
      const { watermarkMs, idle, aligned } = valve.channel(step.channel)
      const view: Record<string, unknown> = {
        watermark: watermarkMs,
        isWatermarkAligned: aligned,
        watermarkStatus: idle ? 'IDLE' : 'ACTIVE',
      }
      if (typeof step.expect === 'string' && /^-?\d+$/.test(step.expect)) step.expect = caseTime(step.expect)
      deepStrictEqual(view[step.path[0]], step.expect)
    } else if (step.op !== 'note') unknownStep(step)
  }
}

function watermarkMultiplexer(one: ConformanceCase): void {
  let lastMs: number | undefined
  let idle = false
  const combined = new CombinedWatermark({
    watermark: (ts) => {
      lastMs = ts
      idle = false
    },
    status: (now) => {
      idle = now
    },
  })
  const parts = new Map<string, PartialWatermark>()
  for (const step of one.steps) {
    const part = parts.get(step.output)!
    const immediate = step.mode === 'immediate'
    if (step.op === 'register') parts.set(step.output, combined.add())
    else if (step.op === 'unregister') {
      const removed = part !== undefined && combined.remove(part)
      if (step.expect !== undefined) deepStrictEqual(removed, step.expect)
    } else if (step.op === 'emit') {
      if (immediate) combined.emit(part, caseTime(step.ts))
      else part.advance(caseTime(step.ts))
    } else if (step.op === 'markIdle') {
      if (immediate) combined.setIdle(part, true)
      else part.idle = true
    } else if (step.op === 'periodicEmit') combined.update()
    else if (step.op === 'lastWatermark')
      deepStrictEqual(lastMs ?? null, step.expect === null ? null : caseTime(step.expect.watermark))
    else if (step.op === 'isIdle') deepStrictEqual(idle, step.expect)
    else if (step.op !== 'note') unknownStep(step)
  }
}

function idlenessTimer(one: ConformanceCase): void {
  const timer = new IdlenessTimer(one.timeoutMs)
  let nowMs = 0
  for (const step of one.steps) {
    if (step.op === 'advanceClock') nowMs += step.ms
    else if (step.op === 'activity') timer.activity()
    else if (step.op === 'checkIfIdle') {
      const found = timer.check(nowMs)
      if (step.expect !== undefined) deepStrictEqual(found, step.expect)
    } else if (step.op !== 'note') unknownStep(step)
  }
}

/** Steps of the bounded and ascending generators: events, periodic emits, and the watermark seen since the last look. */
function generator(one: ConformanceCase): void {
  const out: number[] = []
  const combined = new CombinedWatermark({ watermark: (ts) => out.push(ts), status: () => {} })
  const next = { process() {}, watermark() {}, status() {} }
  const bound = one.maxOutOfOrdernessMs ?? one.boundMs ?? one.bound ?? 0
  const strategy =
    one.operator === 'ascendingTimestamps'
      ? WatermarkStrategy.forMonotonousTimestamps<number>()
      : WatermarkStrategy.forBoundedOutOfOrderness<number>(Number(bound))
  const output = createOutput(
    { next, combined, part: combined.add() },
    strategy.withTimestampAssigner((ts) => ts),
  )
  let last = -Infinity
  for (const step of one.steps) {
    if (step.op === 'event' || step.op === 'element') output.collect(caseTime(step.ts), NO_TIMESTAMP)
    else if (step.op === 'periodicEmit') {
      output.periodicEmit()
      combined.update()
      last = out.at(-1) ?? last
    } else if (step.op === 'popOutput' || step.op === 'expect' || step.op === 'lastWatermark') {
      // No watermark yet and the lowest one are the same to whoever listens.
      const value = step.expect !== null && typeof step.expect === 'object' ? step.expect.watermark : step.expect
      const wanted = value === null ? -Infinity : caseTime(value)
      deepStrictEqual(step.op === 'lastWatermark' ? last : (out.shift() ?? -Infinity), wanted)
    } else if (step.op !== 'note') unknownStep(step)
  }
}
