import { describe, expect, it } from 'vitest'
import { HEADER_BYTES, writeHeader } from '../../codec/batch.ts'
import type { Random } from '../../testing/simulation/random.ts'
import { BUFFER_BYTES } from '../buffer-pool.ts'
import { EXCLUSIVE_BYTES } from '../channel-ends.ts'
import {
  BEGIN,
  CREDIT,
  CREDIT_BYTES,
  DATA_FRAME,
  EVENT,
  FAREWELL,
  FLAG_EXCLUSIVE,
  FLAG_LZ4,
  FRAME_BYTES,
  HELLO,
  PING,
  PONG,
  RECALL,
  RETURN,
  WANT,
  WELCOME,
  writeFrameHeader,
} from './frames.ts'
import { encodeHello } from './hello.ts'
import type { DataSocket } from './sockets.ts'
import { type Side, TwoSlots } from './two-slots.suite.ts'

const RUNS = 400
const FRAMES = 60
const KINDS = [DATA_FRAME, EVENT, CREDIT, WANT, RETURN, RECALL, PING, PONG, BEGIN, FAREWELL, HELLO, WELCOME]

function frame(kind: number, payload: Buffer, type = 0, flags = 0, channel = 0, extra = 0): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES + payload.length)
  writeFrameHeader(new DataView(bytes.buffer, bytes.byteOffset), 0, payload.length, kind, type, flags, channel, extra)
  payload.copy(bytes, FRAME_BYTES)
  return bytes
}

function beginning(attempt: number, keys: string[]): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(attempt, 0)
  head.writeUInt32LE(keys.length, 4)
  return frame(BEGIN, Buffer.concat([head, ...keys.flatMap((key) => [Buffer.of(key.length), Buffer.from(key)])]))
}

function batch(length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(HEADER_BYTES, length))
  writeHeader(new DataView(bytes.buffer, bytes.byteOffset), 0, 2, 0, 0, 0, 0, bytes.length - HEADER_BYTES, 0, 0)
  return bytes
}

const hello = (more = {}) =>
  frame(HELLO, encodeHello({ jobId: 'job', attempt: 0, from: 0, to: 1, token: 'secret', ...more }))

/** A slot that listens, has two channels from slot 0 and one to it, and someone who plays slot 0. */
async function attacked(seed: number) {
  const slots = await TwoSlots.make({ seed })
  const victim = slots.sides[1] as Side
  slots.begin(victim)
  const inputs = [victim.links.input(0, 'x'), victim.links.input(0, 'y')]
  const output = victim.links.output(0, 'z')
  const open = victim.links.open().catch((error: Error) => victim.lost.push(error.message))
  const socket: DataSocket = slots.network.connect(victim.port.address)
  let closed = false
  socket.start({ open() {}, received() {}, closed: () => void (closed = true) })
  await slots.network.settle()
  const send = async (bytes: Buffer) => {
    slots.network.ends[0]!.inject(bytes)
    await slots.network.settle()
  }
  return { slots, victim, inputs, output, open, send, closed: () => closed }
}

/** Frames that come close to what is right. */
function nearly(random: Random, counts: number[]): Buffer {
  const kind = random.pick(KINDS)
  const channel = random.chance(0.9) ? random.below(2) : random.below(2 ** 32)
  const number = random.chance(0.9) ? counts[channel]! : random.below(2 ** 32)
  const small = random.pick([0, 1, 2, 8, 9, 2 ** 31, 2 ** 32 - 1])
  const junk = (length: number) => Buffer.from(Array.from({ length }, () => random.below(256)))
  switch (kind) {
    case DATA_FRAME: {
      const flags = random.pick([0, 0, FLAG_EXCLUSIVE, FLAG_EXCLUSIVE, FLAG_LZ4, FLAG_LZ4 | FLAG_EXCLUSIVE, 0xffff])
      const length = random.pick([0, 31, 32, 500, EXCLUSIVE_BYTES, EXCLUSIVE_BYTES + 1, BUFFER_BYTES, BUFFER_BYTES + 1])
      const type = random.pick([1, 1, 1, 6, 0, 2, 255])
      if (channel < 2) counts[channel]!++
      return frame(kind, random.chance(0.9) ? batch(length) : junk(random.below(200)), type, flags, channel, number)
    }
    case EVENT:
      if (channel < 2) counts[channel]!++
      return frame(kind, junk(random.chance(0.9) ? 8 : random.below(20)), random.below(11), 0, channel, number)
    case CREDIT:
      return frame(kind, junk(random.pick([0, CREDIT_BYTES, CREDIT_BYTES * 2, 5])).fill(random.chance(0.5) ? 0 : 7))
    case BEGIN:
      return random.chance(0.3) ? beginning(random.below(3), ['x', 'y']) : frame(kind, junk(random.below(100)))
    case PING:
    case PONG:
    case WANT:
    case RETURN:
    case RECALL:
      return frame(kind, random.chance(0.95) ? Buffer.alloc(0) : junk(3), 0, 0, channel, small)
    default:
      return frame(kind, junk(random.below(30)))
  }
}

describe('a slot that is sent anything', () => {
  it('takes what is right, closes on what is not with a reason, and keeps its memory (fuzz, by seed)', async () => {
    let reasons = 0
    for (let seed = 1; seed <= RUNS; seed++) {
      const { slots, victim, inputs, output, send, closed } = await attacked(seed)
      const { random } = slots
      if (random.chance(0.9)) await send(hello())
      if (random.chance(0.9)) await send(beginning(0, ['x', 'y']))
      const counts = [0, 0]
      for (let i = 0; i < FRAMES && !closed(); i++) {
        const bytes = nearly(random, counts)
        if (random.chance(0.02)) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
        await send(random.chance(0.98) ? bytes : bytes.subarray(0, random.below(bytes.length)))
        for (const input of inputs) if (random.chance(0.5)) while (input.next()) input.done()
        if (random.chance(0.3) && output.hasRoom()) output.publish(2, -1, 0, i)
        victim.links.flush()
      }
      for (const reason of victim.lost) {
        expect(reason).toMatch(/TR-EXCHANGE-00\d|Cannot open/)
        reasons++
      }
      expect(victim.port.pieces.inUse).toBeLessThan(4)
      victim.links.close()
      expect(victim.pool.free()).toBe(victim.pool.size)
    }
    expect(reasons).toBeGreaterThan(RUNS / 2)
  })

  it('closes on noise before the hello', async () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { slots, send, closed, open, victim } = await attacked(seed)
      const { random } = slots
      await send(Buffer.from(Array.from({ length: 20 + random.below(3000) }, () => random.below(256))))
      expect(closed()).toBe(true)
      victim.links.close()
      await open
    }
  })

  it('names what is wrong', async () => {
    const wrong: [string, Buffer[]][] = [
      ['no frame is of kind 77', [frame(77, Buffer.alloc(0))]],
      ['there is no channel 9, it has begun 2', [frame(DATA_FRAME, batch(100), 1, 0, 9)]],
      [
        'channel x sends beyond its credit',
        Array.from({ length: 3 }, (_, n) => frame(DATA_FRAME, batch(100), 1, FLAG_EXCLUSIVE, 0, n)),
      ],
      ['a batch of 4097 bytes on channel x, the buffer has 4096', [frame(DATA_FRAME, batch(4097), 1, FLAG_EXCLUSIVE)]],
      ['entry 5 on channel x, the next one is 0', [frame(EVENT, Buffer.alloc(8), 2, 0, 0, 5)]],
      [
        'channel y has 64 entries already',
        Array.from({ length: 65 }, (_, n) => frame(EVENT, Buffer.alloc(8), 2, 0, 1, n)),
      ],
      ['channel x goes on after its end', [5, 2].map((type, n) => frame(EVENT, Buffer.alloc(8), type, 0, 0, n))],
      ['an event of type 1', [frame(EVENT, Buffer.alloc(8), 1)]],
      ['came as 100 bytes', [frame(DATA_FRAME, Buffer.concat([batch(90), Buffer.alloc(10)]), 1)]],
      ['bytes are compressed, at most 32768 may be', [frame(DATA_FRAME, Buffer.alloc(100, 255), 1, FLAG_LZ4)]],
      ['its lz4 block', [frame(DATA_FRAME, Buffer.from([9, 0, 0, 0, 255, 255, 255]), 1, FLAG_LZ4)]],
      ['credit for channel 1, there are 1', [frame(CREDIT, Buffer.alloc(16, 1).fill(0, 1, 16))]],
      [
        'channel z took 1 more entries, 0 were sent',
        [frame(CREDIT, Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))],
      ],
      ['channel x wants', [frame(WANT, Buffer.alloc(0), 0, 0, 0, 1000)]],
      ['channel x returns 9 buffers, it has', [frame(RETURN, Buffer.alloc(0), 0, 0, 0, 9)]],
      ['attempt 0 begins after 0', [beginning(0, ['x', 'y'])]],
      ['a beginning of 4294967295 bytes', [Buffer.concat([Buffer.of(255, 255, 255, 255, BEGIN), Buffer.alloc(11)])]],
      [
        'it belongs to an attempt that has not begun on both sides',
        [beginning(1, ['x']), frame(EVENT, Buffer.alloc(8), 2)],
      ],
    ]
    for (const [what, frames] of wrong) {
      const { victim, send } = await attacked(1)
      await send(hello())
      await send(beginning(0, ['x', 'y']))
      expect(victim.lost).toEqual([])
      for (const bytes of frames) await send(bytes)
      expect(victim.lost.join()).toContain(what)
      expect(victim.lost.length).toBe(1)
    }
  })

  it('names what is wrong with a hello', async () => {
    const wrong: [string, Buffer][] = [
      ['is not JSON', frame(HELLO, Buffer.from('GET / HTTP/1.1'))],
      ['a client of something else', frame(HELLO, Buffer.from('{}'))],
      ['speaks version 7, this one 1', frame(HELLO, Buffer.from('{"magic":"tailrace-data","version":7}'))],
      ['no whole number "attempt"', hello({ attempt: 1.5 })],
      ['no text "token"', hello({ token: 5 })],
      ['a greeting of 2049 bytes', frame(HELLO, Buffer.alloc(2049))],
      ['no frame of kind 5 may come before the welcome', frame(DATA_FRAME, Buffer.alloc(5))],
    ]
    for (const [what, bytes] of wrong) {
      const { slots, send } = await attacked(1)
      let said = ''
      slots.network.ends[0]!.events.received = (more, length) => void (said += more.toString('latin1', 0, length))
      await send(bytes)
      expect(said).toContain(what)
    }
  })
})
