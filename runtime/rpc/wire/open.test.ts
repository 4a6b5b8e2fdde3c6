import { expect, test } from 'vitest'
import type { ByteSocket } from '../../core/socket.ts'
import { leaderFence } from './fence.ts'
import { KIND, newFrame } from './frames.ts'
import { helloFrame, judgeHello, PROTOCOL } from './hello.ts'
import { ADDRESS, TwoPeers } from './two-peers.suite.ts'

const own = { version: '1', clusterId: 'c', instanceId: 'jm', role: 'jobmanager' as const, epoch: 1 }
const theirs = { ...own, instanceId: 'tm', role: 'taskmanager' as const, epoch: 0 }

test.each([
  ['all is well', { protocol: PROTOCOL, hello: theirs }, undefined, ''],
  [
    'another protocol',
    { protocol: 9, hello: undefined },
    'TR-RPC-002',
    'Cannot connect a process at h:1 to jobmanager jm: it speaks version 9 of the protocol, version 1 is wanted',
  ],
  [
    'another version',
    { protocol: PROTOCOL, hello: { ...theirs, version: '2' } },
    'TR-RPC-002',
    'Cannot connect taskmanager tm at h:1 to jobmanager jm: it is of Tailrace 2, 1 is wanted',
  ],
  [
    'another cluster',
    { protocol: PROTOCOL, hello: { ...theirs, clusterId: 'd' } },
    'TR-RPC-003',
    'it belongs to the cluster "d", "c" is wanted',
  ],
  [
    'another JobManager',
    { protocol: PROTOCOL, hello: own },
    'TR-RPC-002',
    'it is a jobmanager, a taskmanager is wanted',
  ],
])('judgeHello: %s', (_, found, code, text) => {
  const judged = judgeHello(own, found, 'h:1')
  expect(judged?.code).toBe(code)
  expect(judged?.message ?? '').toContain(text)
})

test.each([
  [
    { version: '2.0.0' },
    'TR-RPC-002',
    'Cannot connect taskmanager tm-1 at tm to jobmanager jm-1: it is of Tailrace 2.0.0, 1.0.0 is wanted',
  ],
  [{ clusterId: 'other' }, 'TR-RPC-003', 'it belongs to the cluster "other", "c" is wanted'],
])('a hello of %o is refused, and both sides know why', async (hello, code, text) => {
  const two = new TwoPeers()
  await two.listen()
  const dialled = two.dial(hello)
  await two.pass(10)
  const { peer, refused } = await dialled
  expect([peer, refused?.code]).toEqual([undefined, code])
  expect(refused?.message).toContain(text)
  expect(two.refused).toEqual([expect.stringContaining(text)])
  expect([two.peers, two.net.links]).toEqual([[], []])
})

test('a JobManager that is not the leader says who is', async () => {
  const two = new TwoPeers()
  two.otherLeader = { address: { host: 'jm-2', port: 6123 } }
  await two.listen()
  const dialled = two.dial()
  await two.pass(10)
  expect((await dialled).refused).toEqual({
    code: 'TR-RPC-004',
    message:
      'Cannot connect taskmanager tm-1 at tm to jobmanager jm-1: it is not the leader, wanted is the leader, which is jm-2:6123',
    leader: { host: 'jm-2', port: 6123 },
  })
  two.otherLeader = {}
  const unknown = two.dial()
  await two.pass(10)
  expect((await unknown).refused).toMatchObject({
    code: 'TR-RPC-004',
    message: expect.stringMatching(/which is not known$/),
  })
})

test('a follower refuses an older leader, which stops', async () => {
  const two = new TwoPeers({}, {}, undefined, { leader: 3, follower: 4 })
  await two.listen()
  const dialled = two.dial()
  await two.pass(10)
  const { refused } = await dialled
  expect(refused).toMatchObject({ code: 'TR-RPC-005', epoch: 4 })
  expect(refused?.message).toContain('the JobManager leads epoch 3, and epoch 4 has begun')
  expect(two.deposed).toEqual([4])
})

test('a leader that was started alone takes who has seen a newer epoch, and leads above it', async () => {
  const two = new TwoPeers({}, {}, undefined, { leader: 3, follower: 7, lead: 'started' })
  const [leader] = await two.open()
  expect([leader.hello.epoch, two.leaderFence.epoch, two.followerFence.epoch]).toEqual([8, 8, 8])
  const doubled = leader.call({ type: 'double', n: 4 })
  await two.pass(10)
  expect(await doubled).toEqual({ n: 8 })
  expect(two.deposed).toEqual([])
})

test('but not once it is known by its own', async () => {
  const two = new TwoPeers({}, {}, undefined, { leader: 3, lead: 'started' })
  const [leader] = await two.open()
  leader.send({ type: 'note', n: 1, data: null })
  await two.pass(10)
  two.followerFence.see(7)
  const dialled = two.dial()
  await two.pass(10)
  expect((await dialled).refused).toMatchObject({ code: 'TR-RPC-005', epoch: 7 })
  expect(two.deposed).toEqual([7])
})

test('a follower that comes with an older epoch takes that of its leader', async () => {
  const two = new TwoPeers({}, {}, undefined, { leader: 9, follower: 4 })
  const [leader] = await two.open()
  expect([two.followerFence.epoch, leader.hello.epoch, two.deposed]).toEqual([9, 9, []])
})

test('the one that dials judges too: a listener that would take anyone', async () => {
  const two = new TwoPeers()
  const heard: number[] = []
  await two.net.host('jm', two.time.schedule).listen(ADDRESS, (socket) => {
    socket.listen({ onData: (bytes) => heard.push(bytes[4]!), onDrain: () => {}, onClose: () => heard.push(-1) })
    socket.write(helloFrame({ ...own, version: '0.9.0', clusterId: 'c' }))
  })
  const dialled = two.dial()
  await two.pass(10)
  expect((await dialled).refused).toMatchObject({
    code: 'TR-RPC-002',
    message: 'Cannot connect jobmanager jm at jm to taskmanager tm-1: it is of Tailrace 0.9.0, 1.0.0 is wanted',
  })
  expect(heard).toEqual([KIND.hello, KIND.refusal, -1])
})

/** Connects a stranger that sends `bytes`, and tells how it ends. */
async function stranger(bytes: Uint8Array, two = new TwoPeers()): Promise<{ two: TwoPeers; ended: string }> {
  await two.listen()
  const { schedule } = two.time
  const dialled = two.net.host('stranger', schedule).dial(ADDRESS, 1_000)
  await two.pass(5)
  const socket: ByteSocket = await dialled
  let ended = 'open'
  socket.listen({ onData: () => {}, onDrain: () => {}, onClose: (error) => (ended = error?.message ?? 'closed') })
  socket.write(bytes)
  await two.pass(10)
  return { two, ended }
}

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'TR-RPC-006 Cannot read a frame of 1195725856 bytes'],
  ['TLS', Buffer.of(0x16, 3, 1, 0, 200, 1), 'security.ssl.internal.enabled must be the same'],
  [
    'a frame of something else',
    newFrame(1, 30).fill(0x41, 5),
    'TR-RPC-002 Cannot speak with stranger: it does not begin as a process of Tailrace does',
  ],
  ['a message before its hello', newFrame(6, 30).fill(0, 5), 'TR-RPC-002'],
  [
    'a hello of a later protocol',
    Buffer.concat([Buffer.of(0, 0, 0, 12, 1), Buffer.from('tailrace'), Buffer.of(0, 7, 0xff)]),
    'it speaks version 7 of the protocol',
  ],
  [
    'a hello that cannot be read',
    Buffer.concat([Buffer.of(0, 0, 0, 13, 1), Buffer.from('tailrace'), Buffer.of(0, 1), Buffer.from('{}')]),
    'its hello cannot be read',
  ],
  ['a long hello', Buffer.of(0, 1, 0, 0, 1), 'Cannot read a frame of 65536 bytes: 1 to 16384 are wanted'],
])('a stranger that sends %s is turned away', async (_, bytes, text) => {
  const { two, ended } = await stranger(bytes)
  expect(ended).toBe('closed')
  expect(two.refused).toEqual([expect.stringContaining(text)])
})

test('whoever looks whether the port is open is not worth a line of the log', async () => {
  const two = new TwoPeers()
  await two.listen()
  const { schedule } = two.time
  for (const said of ['', 'x']) {
    const dialled = two.net.host('stranger', schedule).dial(ADDRESS, 1_000)
    await two.pass(5)
    const socket = await dialled
    if (said !== '') socket.write(Buffer.from(said))
    await two.pass(5)
    socket.end()
    await two.pass(10)
  }
  expect(two.refused).toEqual(['TR-RPC-001 The connection to stranger was lost: the other side has closed it'])
})

test('whoever says nothing is turned away in time, on both sides', async () => {
  const { two, ended } = await stranger(Buffer.of(), new TwoPeers({}, { heartbeatTimeoutMs: 100_000 }))
  expect(ended).toBe('open')
  await two.pass(20_100, 100)
  expect(two.refused).toEqual([
    'TR-RPC-001 Cannot connect to stranger: it has not said who it is within 20 s (pekko.tcp.timeout)',
  ])
  // A listener that takes connections and says nothing.
  const mute = new TwoPeers({}, { heartbeatTimeoutMs: 100_000 })
  await mute.net.host('jm', mute.time.schedule).listen(ADDRESS, () => {})
  const dialled = mute.dial().catch((error) => error.code)
  await mute.pass(20_100, 100)
  expect(await dialled).toBe('TR-RPC-001')
})

test('strangers are bounded', async () => {
  const two = new TwoPeers()
  await two.listen()
  // Those who have said who they are do not count, while they are there and afterwards.
  for (let i = 0; i < 3; i++) {
    void two.dial()
    await two.pass(10)
    if (i > 0) two.net.links[0]!.cut()
    await two.pass(5)
  }
  const host = two.net.host('stranger', two.time.schedule)
  for (let i = 0; i < 1_005; i++)
    void host.dial(ADDRESS, 1_000).then(
      (socket) => socket.listen({ onData: () => {}, onDrain: () => {}, onClose: () => {} }),
      () => {},
    )
  await two.pass(10)
  expect(two.refused.length).toBe(5)
  for (const link of two.net.links) link.cut()
  await two.pass(10)
  two.refused.length = 0
  const dialled = two.dial()
  await two.pass(10)
  expect((await dialled).peer).toBeDefined()
})

test('a fence tells a leader once that it is none any more', () => {
  const deposed: number[] = []
  const fence = leaderFence(5, (epoch) => deposed.push(epoch))
  expect([4, 5, 6, 5, 7].map((epoch) => fence.see(epoch))).toEqual([false, true, true, false, true])
  expect([deposed, fence.epoch, fence.newest]).toEqual([[6], 5, 7])
})
