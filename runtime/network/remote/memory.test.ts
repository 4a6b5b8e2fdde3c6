import { describe, expect, it } from 'vitest'
import { types } from '../../core/types.ts'
import { BUFFER_BYTES } from '../buffer-pool.ts'
import { REMOTE_FLOATING_MAX } from '../channel-ends.ts'
import { INPUT_BYTES, OUTPUT_BYTES, PEER_BYTES, poolBytes, receiverBytesMax, senderBytesMax } from './memory.ts'
import { PIECE_BYTES } from './outbox.ts'
import { type Side, TestFan, TwoSlots } from './two-slots.suite.ts'

const TYPE = types.row({ n: types.int32, text: types.string }).description

const RECORD_BYTES = 3000

/** Bytes that a slot has for sending now. */
const sends = ({ port }: Side, outputs: number) =>
  port.pieces.inUse * PIECE_BYTES + port.buffers.bytes.length * BUFFER_BYTES + outputs * OUTPUT_BYTES

async function fan(channels: number, poolBuffers: number, first = 0) {
  const slots = await TwoSlots.make({ poolBuffers })
  const [a, b] = slots.sides as [Side, Side]
  for (const side of [a, b]) slots.begin(side)
  const made = new TestFan(a, b, channels, TYPE, first)
  const open = Promise.all([a.links.open(), b.links.open()])
  await slots.network.settle()
  await open
  return { slots, a, b, fan: made, network: slots.network }
}

/** Writes large records until nothing is taken any more, in rounds as a task does; `burst` of them at first, with or without credit, as what one record becomes. */
async function writeAll(
  { slots, a, b, fan: { writer, overflow }, network }: Awaited<ReturnType<typeof fan>>,
  burst = 0,
) {
  let n = 0
  for (let idle = 0; idle < 20; ) {
    writer.drain()
    const before = n
    while ((overflow.size === 0 || n < burst) && n < 100_000)
      writer.process({ n: n++, text: 'x'.repeat(RECORD_BYTES) }, 0)
    writer.blocked()
    idle = n === before ? idle + 1 : 0
    for (const { links } of [a, b]) links.flush()
    await network.settle()
    slots.time.advance(10)
  }
  expect(n).toBeLessThan(100_000)
  return n
}

describe('memory of the exchange between processes', () => {
  it.each([
    [1, 16],
    [4, 128],
    [60, 16],
    [200, 128],
  ])(
    'stays in its bounds when a receiver of %d channels and %d buffers reads nothing',
    async (channels, poolBuffers) => {
      const all = await fan(channels, poolBuffers)
      const { a, b, slots } = all
      await writeAll(all)
      const size = { peers: 1, inputs: channels, outputs: channels, poolBuffers }
      // All that the receiver has is in use; of a sender whose socket takes everything little is.
      const taken = poolBuffers - b.pool.free()
      expect(taken).toBeGreaterThanOrEqual(Math.min(poolBuffers, channels) / 2)
      expect(taken * BUFFER_BYTES + channels * INPUT_BYTES + PEER_BYTES).toBeLessThanOrEqual(receiverBytesMax(size))
      expect(sends(a, channels)).toBeLessThanOrEqual(senderBytesMax(size))
      expect(slots.sides.flatMap(({ lost }) => lost)).toEqual([])
    },
  )

  const FIRST = [0, 0.5, 0.99]
  it.each(
    [
      [1, 16],
      [4, 128],
      [60, 16],
      [200, 128],
    ].flatMap(([channels, poolBuffers]) => FIRST.map((first) => [channels!, poolBuffers!, first] as const)),
  )(
    'stays in its bounds when the socket to %d channels and %d buffers takes nothing, from %d of them on',
    async (channels, poolBuffers, first) => {
      const all = await fan(channels, poolBuffers, first)
      const { a, b, network, fan: to } = all
      // The sender wants all that it may have, and gets it when the receiver has read what there is; by then its socket is stuck.
      await writeAll(all)
      network.ends[0]!.full = true
      for (const gate of to.gates) gate.take(() => false)
      b.links.flush()
      await network.settle()
      // To every channel: a round robin alone ends at the first one that has no credit, and how many are behind that depends on where it began.
      await writeAll(all, 2 * channels)
      const held = sends(a, channels)
      const size = { peers: 1, inputs: 0, outputs: channels, poolBuffers }
      expect(held).toBeLessThanOrEqual(senderBytesMax(size))
      // Of each channel two batches wait, of a record each, or larger ones.
      expect(a.port.pieces.inUse * PIECE_BYTES).toBeGreaterThan(channels * 2 * RECORD_BYTES)
    },
  )

  it('is what the documentation says', () => {
    expect({ INPUT_BYTES, OUTPUT_BYTES, PEER_BYTES, REMOTE_FLOATING_MAX, pool: poolBytes(128) }).toEqual({
      ...{ INPUT_BYTES: 9280, OUTPUT_BYTES: 8192, PEER_BYTES: 196_608, REMOTE_FLOATING_MAX: 32, pool: 4_194_304 },
    })
    const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20)
    const size = { peers: 1, inputs: 100, outputs: 100, poolBuffers: 128 }
    expect([megabytes(receiverBytesMax(size)), megabytes(senderBytesMax(size))]).toEqual([5, 12])
  })
})
