import { expect, test } from 'vitest'
import { InputValves } from './input-valves.ts'

/** Channels 0 and 1 are of input 0, 2 of input 1, 3 of input 0 again (a union). */
function valves() {
  const out: [what: string, input: number, value?: number | boolean][] = []
  const of = new InputValves([0, 0, 1, 0], {
    watermark: (input, timestampMs) => out.push(['watermark', input, timestampMs]),
    status: (input, idle) => out.push(['idle', input, idle]),
    end: (input) => out.push(['end', input]),
  })
  return { of, take: () => out.splice(0) }
}

test('InputValves combine the channels of each input by themselves', () => {
  const { of, take } = valves()
  of.inputWatermark(2, 50)
  of.inputWatermark(0, 10)
  of.inputWatermark(1, 20)
  expect(take()).toEqual([['watermark', 1, 50]])
  of.inputWatermark(3, 15)
  expect(take()).toEqual([['watermark', 0, 10]])
  of.inputStatus(0, true)
  expect(take()).toEqual([['watermark', 0, 15]])
  of.inputStatus(2, true)
  expect(take()).toEqual([['idle', 1, true]])
})

test('InputValves tell the end of an input once, when the last of its channels has ended', () => {
  const { of, take } = valves()
  for (const channel of [0, 3]) of.inputWatermark(channel, Infinity)
  for (const channel of [0, 3]) of.end(channel)
  expect(take()).toEqual([])
  of.inputWatermark(1, Infinity)
  of.end(1)
  expect(take()).toEqual([
    ['watermark', 0, Infinity],
    ['end', 0],
  ])
  of.inputWatermark(2, 7)
  of.end(2)
  expect(take()).toEqual([
    ['watermark', 1, 7],
    ['end', 1],
  ])
})
