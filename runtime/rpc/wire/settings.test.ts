import { expect, test } from 'vitest'
import { Random } from '../../testing/simulation/random.ts'
import { backOff } from './back-off.ts'
import { readWireSettings, WIRE_SETTINGS } from './settings.ts'

test('settings are those of Flink, in the spellings of 1.x and 2.x', () => {
  expect(readWireSettings({})).toEqual(WIRE_SETTINGS)
  expect(
    readWireSettings({
      'akka.framesize': '1mb',
      'pekko.framesize': '134217728b',
      'akka.ask.timeout': '3 s',
      'pekko.tcp.timeout': '4 s',
      'heartbeat.interval': '200 ms',
      'heartbeat.timeout': '1 min',
    }),
  ).toEqual({
    frameBytesMax: 134_217_728,
    outgoingBytesMax: 268_435_456,
    callsMax: 10_000,
    callMs: 3_000,
    connectMs: 4_000,
    heartbeatIntervalMs: 200,
    heartbeatTimeoutMs: 60_000,
  })
  expect(readWireSettings({ 'pekko.framesize': '512mb' }).outgoingBytesMax).toBe(2 ** 30)
  expect(readWireSettings({ 'pekko.framesize': '2g' }).frameBytesMax).toBe(2 ** 30)
})

test.each([
  [{ 'pekko.framesize': 'big' }, 'Cannot use "big" for pekko.framesize: a size such as "64mb"'],
  [{ 'akka.framesize': '1kb' }, 'Cannot use "1kb" for akka.framesize'],
  [
    { 'heartbeat.timeout': '500 ms' },
    'Cannot use "500 ms" for heartbeat.timeout: no less than heartbeat.interval, 1000 ms, is wanted',
  ],
  [{ 'heartbeat.interval': '1 min' }, 'Cannot use "5 s" for heartbeat.timeout'],
  [{ 'heartbeat.interval': '0' }, 'Cannot use "0" for heartbeat.interval'],
  [{ 'pekko.ask.timeout': 'soon' }, 'Cannot use "soon" for pekko.ask.timeout'],
])('%o is refused', (options, text) => {
  expect(() => readWireSettings(options as unknown as Record<string, string>)).toThrow(text)
})

test('pauses grow to a most, each between its half and its whole', () => {
  const pause = backOff({ firstMs: 100, mostMs: 1_000, random: new Random(1).next })
  const pauses = Array.from({ length: 8 }, pause)
  for (const [i, ms] of pauses.entries()) {
    const whole = Math.min(1_000, 100 * 2 ** i)
    expect(ms).toBeGreaterThanOrEqual(whole / 2)
    expect(ms).toBeLessThanOrEqual(whole)
  }
  expect(backOff({ firstMs: 100, mostMs: 1_000, random: new Random(1).next })()).toBe(pauses[0])
})
