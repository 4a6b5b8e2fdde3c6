import { describe, expect, it } from 'vitest'
import { types } from '../../core/types.ts'
import type { Random } from '../../testing/simulation/random.ts'
import { type Side, TestChannel, TestFan, TwoSlots, type TwoSlotsOptions } from './two-slots.suite.ts'

const TYPE = types.row({ n: types.number, text: types.string }).description
const SEEDS = 40
const STEPS_MAX = 400_000

/** What a channel is given to send, in order: records, and what is between them. */
function script(random: Random, length: number): ((channel: TestChannel) => unknown)[] {
  const steps: ((channel: TestChannel) => unknown)[] = []
  for (let i = 0; i < length; i++) {
    const kind = random.below(30)
    if (kind === 0) {
      steps.push(({ writer }) => {
        writer.watermark(i)
        return `watermark ${i}`
      })
    } else if (kind === 1) {
      for (const idle of [true, false]) {
        steps.push(({ writer }) => {
          writer.status(idle)
          return idle ? 'idle' : 'active'
        })
      }
    } else {
      const size = kind === 2 ? random.below(100_000) : kind < 8 ? random.below(3000) : random.below(100)
      const odd = kind === 3
      steps.push(({ writer }) => {
        const record = odd ? { other: i, text: 'x'.repeat(size) } : { n: i, text: 'x'.repeat(size) }
        writer.process(record, i)
        return record
      })
    }
  }
  return steps
}

async function exchange(options: TwoSlotsOptions, channelCount: number, records: number): Promise<void> {
  const slots = await TwoSlots.make(options)
  const { random, network, time } = slots
  const [a, b] = slots.sides as [Side, Side]
  slots.begin(a)
  slots.begin(b)
  const channels = Array.from({ length: channelCount }, (_, edge) => {
    const [from, to] = edge % 3 === 2 ? [b, a] : [a, b]
    const channel = new TestChannel(from, to, edge, edge % 2 === 0 ? TYPE : undefined)
    return { channel, todo: script(random, records), at: 0, sent: [] as unknown[], ended: false }
  })
  const opened = Promise.all([a.links.open(), b.links.open()])
  await network.settle()
  await opened
  let steps = 0
  for (; channels.some(({ channel }) => !channel.gate.ended); steps++) {
    if (steps > STEPS_MAX)
      throw new Error(
        `no progress: ${[...a.lost, ...b.lost]} ${channels.map(({ at, channel }) => `${at}/${channel.came.length}`)}`,
      )
    const c = random.pick(channels)
    const { channel } = c
    switch (random.below(6)) {
      case 0: {
        channel.writer.drain()
        if (channel.overflow.size > 0 || channel.writer.blocked()) break
        for (let i = 0; i < 20 && c.at < c.todo.length; i++) c.sent.push(c.todo[c.at++]!(channel))
        if (c.at === c.todo.length && !c.ended) {
          c.ended = true
          channel.writer.flushAll()
          channel.writer.end()
        } else if (random.chance(0.3)) channel.writer.flushAll()
        break
      }
      case 1:
        // A receiver that is slow now and then: the others go on.
        if (random.chance(0.7)) channel.gate.take(() => random.chance(0.3))
        break
      case 2:
        random.pick([a, b]).links.flush()
        break
      case 3:
        if (random.chance(0.02)) time.advance(11)
        break
      default:
        for (let i = 0; i < 10; i++) network.step()
    }
  }
  expect(a.lost.concat(b.lost)).toEqual([])
  for (const { channel, sent } of channels) {
    expect(channel.came.length).toBe(sent.length)
    for (const [i, value] of sent.entries()) expect(channel.came[i]).toEqual(value)
  }
  for (const side of [a, b]) {
    side.links.end()
    expect(side.pool.free()).toBe(side.pool.size)
    expect(side.port.buffers.inUse).toBe(0)
  }
}

describe('channels between two processes, over a network that cuts bytes anywhere', () => {
  it('lose, double and reorder nothing (property, by seed)', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await exchange({ seed, poolBuffers: 1 + (seed % 7) * 5 }, 1 + (seed % 6), 120).catch((cause) => {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
      })
    }
  })

  it('progress with one pool buffer for all of them', async () => {
    for (let seed = 100; seed < 106; seed++) {
      await exchange({ seed, poolBuffers: 1 }, 6, 200).catch((cause) => {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
      })
    }
  })

  it('progress where one writer has many, which begin in the small buffers', async () => {
    for (let seed = 300; seed < 312; seed++) {
      const slots = await TwoSlots.make({ seed, poolBuffers: seed % 2 === 0 ? 1 : 24 })
      const { random, network } = slots
      const [a, b] = slots.sides as [Side, Side]
      slots.begin(a)
      slots.begin(b)
      const fan = new TestFan(a, b, 20, TYPE, random.between(0, 1))
      const opened = Promise.all([a.links.open(), b.links.open()])
      await network.settle()
      await opened
      let sent = 0
      for (let steps = 0; fan.came.reduce((sum, { length }) => sum + length, 0) < 4000; steps++) {
        if (steps > STEPS_MAX) throw new Error(`seed ${seed}: no progress at ${sent}: ${[...a.lost, ...b.lost]}`)
        const { writer, overflow } = fan
        writer.drain()
        if (overflow.size === 0 && !writer.blocked() && sent < 4000) {
          for (let i = 0; i < 100; i++, sent++) writer.process({ n: sent, text: 'x'.repeat(random.below(2000)) }, 0)
        }
        if (sent === 4000) writer.flushAll()
        for (const gate of fan.gates) if (random.chance(0.5)) gate.take(() => false)
        for (const { links } of [a, b]) links.flush()
        for (let i = random.below(40); i > 0; i--) network.step()
      }
      for (const [channel, came] of fan.came.entries())
        for (const [i, n] of came.entries()) expect(n, `channel ${channel}`).toBe(came[0]! + 20 * i)
    }
  })

  it('do the same compressed', async () => {
    for (let seed = 200; seed < 206; seed++) {
      await exchange({ seed, compression: 'lz4' }, 4, 150).catch((cause) => {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
      })
    }
  })
})
