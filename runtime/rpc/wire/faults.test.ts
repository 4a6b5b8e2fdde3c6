/** Connections over sockets that split, delay, cut and fall silent, and fuzzing of what comes over them; each run follows from its seed. */
import { expect, test } from 'vitest'
import { isTailraceError } from '../../core/errors.ts'
import { VirtualTime } from '../../core/virtual-time.suite.ts'
import { Random } from '../../testing/simulation/random.ts'
import { SocketNet } from '../../testing/simulation/sockets.ts'
import { toJobManager, toTaskManager } from '../messages/catalog.ts'
import { FROM_SLOT, TO_JOB_MANAGER } from '../messages/examples.suite.ts'
import { packBody } from './body.ts'
import { leaderFence } from './fence.ts'
import { FRAME_HEADER_BYTES, KIND, newFrame } from './frames.ts'
import { helloFrame } from './hello.ts'
import { acceptPeers } from './open.ts'
import type { Peer } from './peer.ts'
import { WIRE_SETTINGS } from './settings.ts'
import { ADDRESS, HELLO, settle, TwoPeers } from './two-peers.suite.ts'

test('over sockets that split, delay, cut and fall silent, messages keep their order, answers match, and nothing comes twice', async () => {
  let cuts = 0
  let delivered = 0
  for (let seed = 1; seed <= 25; seed++) {
    const random = new Random(seed)
    const notes: number[] = []
    const doubled: number[] = []
    const two = new TwoPeers(
      {
        note: ({ n, data }) => {
          expect(data).toEqual(new Uint8Array(n % 50).fill(n))
          notes.push(n)
        },
        double: async ({ n }) => {
          doubled.push(n)
          if (n % 3 === 0) await new Promise<void>((resolve) => void two.time.schedule(random.below(20), resolve))
          if (n % 7 === 0) throw new Error(`no ${n}`)
          return { n: 2 * n }
        },
      },
      {},
      {
        random: random.next,
        latencyMs: () => (random.chance(0.9) ? random.between(0, 2) : random.between(2, 30)),
        pieceBytesMax: random.pick([3, 20, 500]),
      },
    )
    await two.listen()
    let sent = 0
    const sentNotes: number[] = []
    const sentCalls: number[] = []
    const answers: Promise<void>[] = []
    for (let connection = 0; connection < 3; connection++) {
      const dialled = two.dial()
      await two.pass(100)
      const { peer } = await dialled
      peer!.handle({ tell: () => {}, halve: ({ n }) => ({ n }) })
      let lost = 0
      peer!.onLost(() => void lost++)
      for (let step = 0; step < 60; step++) {
        const n = ++sent
        if (random.chance(0.5)) {
          if (peer!.lost === undefined) sentNotes.push(n)
          peer!.send({ type: 'note', n, data: new Uint8Array(n % 50).fill(n) })
        } else {
          sentCalls.push(n)
          const answer = peer!.call({ type: 'double', n }, { deadlineMs: random.whole(5, 200) }).then(
            (value) => expect([n % 7 > 0, value]).toEqual([true, { n: 2 * n }]),
            (error) => {
              expect(isTailraceError(error)).toBe(true)
              if (error.code === 'TR-INTERNAL-001') expect(error.message).toBe(`no ${n}`)
              else expect(error.code).toMatch(/^TR-RPC-00[17]$/)
            },
          )
          answers.push(answer)
        }
        if (random.chance(0.4)) await two.pass(random.below(4))
        if (random.chance(0.01)) two.net.links[0]?.cut()
        if (random.chance(0.005)) two.net.links[0]?.silence()
      }
      await two.pass(300)
      if (peer!.lost === undefined) peer!.close({ code: 'TR-CLUSTER-002', message: 'next' })
      else cuts++
      await two.pass(50)
      expect(lost).toBe(1)
    }
    // What was called has ended one way or the other.
    await two.pass(7_000, 100)
    await Promise.all(answers)
    expect([...notes].sort((a, b) => a - b)).toEqual(notes)
    expect(new Set(notes).size).toBe(notes.length)
    expect(notes.every((n) => sentNotes.includes(n))).toBe(true)
    expect([...doubled].sort((a, b) => a - b)).toEqual(doubled)
    expect(new Set(doubled).size).toBe(doubled.length)
    expect(two.errors).toEqual([])
    delivered += notes.length
  }
  expect(cuts).toBeGreaterThan(10)
  expect(delivered).toBeGreaterThan(1_000)
})

/** A leader with the real messages, and how to throw bytes at it after a proper hello. */
class Target {
  readonly time = new VirtualTime()
  readonly net = new SocketNet({ random: () => 0, latencyMs: () => 0, pieceBytesMax: Number.POSITIVE_INFINITY })
  readonly handled: string[] = []
  readonly refused: string[] = []
  readonly peers: Peer<typeof toJobManager, typeof toTaskManager>[] = []
  readonly fence = leaderFence(1, () => {})

  async listen() {
    const { clock, schedule } = this.time
    const take = (message: { type: string }) => void this.handled.push(message.type)
    await acceptPeers({
      listen: this.net.host('jm', schedule).listen,
      address: ADDRESS,
      hello: { ...HELLO, role: 'jobmanager' },
      receives: toJobManager,
      sends: toTaskManager,
      fence: this.fence,
      settings: { ...WIRE_SETTINGS, frameBytesMax: 1_000_000 },
      clock,
      schedule,
      otherLeader: () => undefined,
      onPeer: (peer) => {
        this.peers.push(peer)
        peer.handle({
          registerTaskManager: (message) => {
            take(message)
            return { outcome: 'registered', adopted: [], number: 1 }
          },
          fromSlot: take,
          slotEnded: take,
          metrics: take,
          fetchArtifact: (message) => {
            take(message)
            return { bytes: new Uint8Array(1), size: 1, name: 'a' }
          },
        })
      },
      onRefused: (error) => this.refused.push(error.code),
      onHandlerError: () => expect.unreachable(),
    })
  }

  /** Gives why the connection ended, if it did. */
  async throwAt(bytes: Uint8Array, greeted = true): Promise<string | undefined> {
    const before = this.peers.length
    const refused = this.refused.length
    const dialled = this.net.host('tm', this.time.schedule).dial(ADDRESS, 1_000)
    await settle()
    this.time.advance(1)
    const socket = await dialled
    socket.listen({ onData: () => {}, onDrain: () => {}, onClose: () => {} })
    if (greeted) socket.write(helloFrame({ ...HELLO, role: 'taskmanager', epoch: 0 }))
    socket.write(bytes)
    for (let i = 0; i < 3; i++) {
      this.time.advance(1)
      await settle()
    }
    const code = this.peers[before]?.lost?.code ?? this.refused[refused]
    socket.destroy()
    this.time.advance(1)
    return code
  }
}

/** A frame of a one-way message, as a peer writes it. */
function oneWayFrame(type: string, body: Uint8Array, epoch = 1): Buffer {
  const frame = newFrame(KIND.oneWay, 9 + type.length + body.length)
  frame.writeDoubleBE(epoch, FRAME_HEADER_BYTES)
  frame[FRAME_HEADER_BYTES + 8] = type.length
  frame.latin1Write(type, FRAME_HEADER_BYTES + 9)
  frame.set(body, frame.length - body.length)
  return frame
}

/** A frame of a call. */
function callFrame(type: string, body: Uint8Array): Buffer {
  const frame = newFrame(KIND.call, 19 + type.length + body.length)
  frame.writeDoubleBE(1, FRAME_HEADER_BYTES)
  frame.writeUIntBE(1, FRAME_HEADER_BYTES + 8, 6)
  frame.writeUInt32BE(1_000, FRAME_HEADER_BYTES + 14)
  frame[FRAME_HEADER_BYTES + 18] = type.length
  frame.latin1Write(type, FRAME_HEADER_BYTES + 19)
  frame.set(body, frame.length - body.length)
  return frame
}

function answerFrame(number: number, body: Uint8Array): Buffer {
  const frame = newFrame(KIND.answer, 14 + body.length)
  frame.writeDoubleBE(1, FRAME_HEADER_BYTES)
  frame.writeUIntBE(number, FRAME_HEADER_BYTES + 8, 6)
  frame.set(body, frame.length - body.length)
  return frame
}

const PRINT = { type: 'fromSlot', slot: 0, thread: 0, message: FROM_SLOT.print }

test('frames that are well are taken, so the others are refused for what is wrong with them', async () => {
  const target = new Target()
  await target.listen()
  expect(await target.throwAt(oneWayFrame('fromSlot', packBody(PRINT, 'it')))).toBeUndefined()
  expect(await target.throwAt(callFrame('fetchArtifact', packBody(TO_JOB_MANAGER.fetchArtifact, 'it')))).toBeUndefined()
  expect(target.handled).toEqual(['fromSlot', 'fetchArtifact'])
})

test.each<[string, Buffer, string | undefined]>([
  ['an endless frame', Buffer.of(255, 255, 255, 255, 6), 'TR-RPC-006'],
  ['an empty frame', Buffer.of(0, 0, 0, 0), 'TR-RPC-006'],
  ['a frame that never ends', Buffer.of(0, 0, 100, 0, 6, 1, 2), undefined],
  ['a frame of no kind', newFrame(99, 30).fill(0, 5), 'TR-RPC-006'],
  ['a second hello', helloFrame({ ...HELLO, role: 'taskmanager', epoch: 0 }), 'TR-RPC-006'],
  ['a frame that ends in its epoch', newFrame(KIND.oneWay, 3).fill(0, 5), 'TR-RPC-006'],
  ['an epoch that is none', oneWayFrame('fromSlot', packBody(PRINT, 'it'), Number.NaN), 'TR-RPC-006'],
  ['a negative epoch', oneWayFrame('fromSlot', packBody(PRINT, 'it'), -1), 'TR-RPC-006'],
  ['an older epoch', oneWayFrame('fromSlot', packBody(PRINT, 'it'), 0), 'TR-RPC-005'],
  ['a type that there is not', oneWayFrame('dance', packBody({}, 'it')), 'TR-RPC-006'],
  ['a type of every object', oneWayFrame('constructor', packBody({}, 'it')), 'TR-RPC-006'],
  ['a call as a message', oneWayFrame('fetchArtifact', packBody(TO_JOB_MANAGER.fetchArtifact, 'it')), 'TR-RPC-006'],
  ['a message as a call', callFrame('fromSlot', packBody(PRINT, 'it')), 'TR-RPC-006'],
  ['an answer to a call that nobody made', answerFrame(1, packBody(null, 'it')), 'TR-RPC-006'],
  ['an answer to no call', answerFrame(0, packBody(null, 'it')), 'TR-RPC-006'],
  ['no body', oneWayFrame('fromSlot', Buffer.of()), 'TR-RPC-006'],
  ['a deep body', oneWayFrame('fromSlot', Buffer.alloc(500_000, 0x91)), 'TR-RPC-006'],
  [
    'a body of many objects',
    oneWayFrame('fromSlot', Buffer.concat([Buffer.of(0xdd, 0, 14, 0, 0), Buffer.alloc(917_504, 0x80)])),
    'TR-RPC-006',
  ],
  ['a body of another message', oneWayFrame('fromSlot', packBody(TO_JOB_MANAGER.metrics, 'it')), 'TR-RPC-006'],
  ['a goodbye that is none', newFrame(KIND.goodbye, 10).fill(0xff, 5), 'TR-RPC-001'],
])('after its hello, %s', async (_, bytes, code) => {
  const target = new Target()
  await target.listen()
  expect([await target.throwAt(bytes), target.handled]).toEqual([code, []])
  // Others are served as before.
  expect(await target.throwAt(oneWayFrame('fromSlot', packBody(PRINT, 'it')))).toBeUndefined()
  expect(target.handled).toEqual(['fromSlot'])
})

test('random bytes, and frames with changed bytes, end the connection or are taken for what they are; nothing else happens', async () => {
  const random = new Random(3)
  const target = new Target()
  await target.listen()
  const frames = [
    ...Object.values(FROM_SLOT).map((message) =>
      oneWayFrame('fromSlot', packBody({ type: 'fromSlot', slot: 0, thread: 0, message }, 'it')),
    ),
    oneWayFrame('slotEnded', packBody(TO_JOB_MANAGER.slotEnded, 'it')),
    oneWayFrame('metrics', packBody(TO_JOB_MANAGER.metrics, 'it')),
    callFrame('registerTaskManager', packBody(TO_JOB_MANAGER.registerTaskManager, 'it')),
    callFrame('fetchArtifact', packBody(TO_JOB_MANAGER.fetchArtifact, 'it')),
  ]
  const codes: Record<string, number> = {}
  for (let run = 0; run < 1_500; run++) {
    let bytes: Buffer
    if (run % 4 === 0) {
      bytes = Buffer.alloc(random.below(200))
      for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256)
    } else {
      bytes = Buffer.from(random.pick(frames))
      for (let changes = 1 + random.below(3); changes > 0; changes--)
        bytes[random.below(bytes.length)] = random.below(256)
      if (random.chance(0.3)) bytes = bytes.subarray(0, random.below(bytes.length))
    }
    const code = (await target.throwAt(bytes, random.chance(0.8))) ?? 'none'
    codes[code] = (codes[code] ?? 0) + 1
  }
  for (const code of Object.keys(codes)) expect(code).toMatch(/^(none|TR-RPC-00[1256])$/)
  expect(target.fence.newest).toBe(1)
  expect(codes['TR-RPC-006']).toBeGreaterThan(500)
  expect(target.net.links.length).toBe(0)
})
