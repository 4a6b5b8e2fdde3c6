import { expect, test } from 'vitest'
import { TailraceError } from '../../core/errors.ts'
import { ADDRESS, TwoPeers } from './two-peers.suite.ts'

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    (value) => `no error, ${JSON.stringify(value)}`,
    (error) => `${error.code} ${error.message}`,
  )

test('calls and messages go both ways', async () => {
  const notes: unknown[] = []
  const told: number[] = []
  const two = new TwoPeers({ note: ({ n, data }) => void notes.push([n, data]) })
  const [leader, follower] = await two.open({ tell: ({ n }) => void told.push(n) })
  expect([leader.name, follower.name]).toEqual(['jobmanager jm-1 at jm', 'taskmanager tm-1 at tm'])
  leader.send({ type: 'note', n: 1, data: new Map([['a', new Set([1n])]]) })
  follower.send({ type: 'tell', n: 7 })
  const answers = Promise.all([leader.call({ type: 'double', n: 4 }), follower.call({ type: 'halve', n: 4 })])
  leader.send({ type: 'note', n: 2, data: undefined })
  await two.pass(5)
  expect(await answers).toEqual([{ n: 8 }, { n: 2 }])
  expect(notes).toEqual([
    [1, new Map([['a', new Set([1n])]])],
    [2, undefined],
  ])
  expect(told).toEqual([7])
})

test('a call fails with the error of the other side, its code and causes included', async () => {
  const two = new TwoPeers({
    double: async () => {
      throw new TailraceError('TR-CLUSTER-001', 'too few', { cause: new Error('inner') })
    },
  })
  const [leader] = await two.open()
  const failed = leader.call({ type: 'double', n: 1 }).catch((error: unknown) => error)
  const plain = codeOf(leader.call({ type: 'fail', text: 'no' }))
  await two.pass(5)
  expect(await failed).toMatchObject({ code: 'TR-CLUSTER-001', message: 'too few', cause: { message: 'inner' } })
  expect(await plain).toBe('TR-INTERNAL-001 no')
})

test('a call ends at its deadline, and its answer is ignored when it comes later', async () => {
  let answer!: (n: { n: number }) => void
  const two = new TwoPeers({ double: () => new Promise((resolve) => (answer = resolve)) })
  const [leader, follower] = await two.open()
  const late = codeOf(leader.call({ type: 'double', n: 1 }, { deadlineMs: 100 }))
  await two.pass(110)
  expect(await late).toBe('TR-RPC-007 Cannot call double of jobmanager jm-1 at jm: no answer within 0.1 s')
  answer({ n: 2 })
  await two.pass(0)
  expect(follower.outgoingBytes).toBe(0)
  await two.pass(5)
  expect(leader.lost).toBeUndefined()
})

test('an answer that is under way at the deadline is ignored', async () => {
  const two = new TwoPeers({}, {}, { random: () => 0.5, latencyMs: () => 50, pieceBytesMax: 1000 })
  await two.listen()
  const dialled = two.dial()
  await two.pass(300)
  const leader = (await dialled).peer!
  leader.handle({ tell: () => {}, halve: ({ n }) => ({ n }) })
  const late = codeOf(leader.call({ type: 'double', n: 1 }, { deadlineMs: 90 }))
  await two.pass(200)
  expect(await late).toMatch(/^TR-RPC-007/)
  const next = leader.call({ type: 'double', n: 3 })
  await two.pass(200)
  expect(await next).toEqual({ n: 6 })
})

test('calls end at once when the connection is cut, and the loss is told once', async () => {
  const two = new TwoPeers({ double: () => new Promise(() => {}) })
  const [leader, follower] = await two.open()
  const lost: string[] = []
  leader.onLost((error) => void lost.push(`near ${error.code} ${error.message}`))
  follower.onLost((error) => void lost.push(`far ${error.code}`))
  const call = codeOf(leader.call({ type: 'double', n: 1 }))
  await two.pass(3)
  two.net.links[0]!.cut()
  await two.pass(5)
  expect(await call).toMatch(/^TR-RPC-001 The connection to jobmanager jm-1 at jm was lost: read ECONNRESET/)
  expect(lost).toEqual(['far TR-RPC-001', expect.stringMatching(/^near TR-RPC-001 /)].sort())
  expect(await codeOf(leader.call({ type: 'double', n: 1 }))).toMatch(/^TR-RPC-001/)
  leader.onLost((error) => void lost.push(`later ${error.code}`))
  await two.pass(1)
  expect(lost[2]).toBe('later TR-RPC-001')
})

test('a side that says nothing for the timeout is lost on both sides, one that has nothing to say is not', async () => {
  const two = new TwoPeers()
  const [leader, follower] = await two.open()
  await two.pass(60_000, 100)
  expect([leader.lost, follower.lost]).toEqual([undefined, undefined])
  two.net.links[0]!.silence()
  await two.pass(4_900, 100)
  expect([leader.lost, follower.lost]).toEqual([undefined, undefined])
  await two.pass(1_200, 100)
  expect(leader.lost?.message).toBe(
    'The connection to jobmanager jm-1 at jm was lost: no sign of life for 5 s (heartbeat.timeout)',
  )
  expect(follower.lost?.code).toBe('TR-RPC-001')
})

test('a process that stood still itself does not take that for the silence of the other', async () => {
  const two = new TwoPeers()
  const [leader] = await two.open()
  // One timer that comes late, then what has come meanwhile.
  for (let i = 0; i < 4; i++) {
    two.time.clock.advance(30_000)
    await two.pass(1_000, 100)
  }
  expect(leader.lost).toBeUndefined()
})

test('what waits to be sent is bounded', async () => {
  const two = new TwoPeers({}, { outgoingBytesMax: 10_000 })
  const [leader] = await two.open()
  leader.send({ type: 'note', n: 0, data: new Uint8Array(50_000) })
  const call = codeOf(leader.call({ type: 'double', n: 1 }))
  const text = 'The connection to jobmanager jm-1 at jm was given up: '
  expect(await call).toContain(`TR-RPC-009 ${text}`)
  expect(leader.lost?.code).toBe('TR-RPC-009')
})

test('drained() waits until the other side has read, and ends with the connection', async () => {
  const two = new TwoPeers()
  const [leader] = await two.open()
  leader.send({ type: 'note', n: 0, data: new Uint8Array(5_000) })
  let done = 0
  void leader.drained().then(() => done++)
  await two.pass(0)
  expect([done, leader.outgoingBytes > 5_000]).toEqual([0, true])
  await two.pass(3)
  expect([done, leader.outgoingBytes]).toEqual([1, 0])
  leader.send({ type: 'note', n: 0, data: null })
  void leader.drained().then(() => done++)
  two.net.links[0]!.cut()
  await two.pass(3)
  expect(done).toBe(2)
})

test('calls that have ended are forgotten', async () => {
  const two = new TwoPeers({}, { callsMax: 2 })
  const [leader] = await two.open()
  for (let n = 1; n <= 10; n++) {
    const failed = codeOf(leader.call({ type: 'fail', text: `no ${n}` }))
    const answered = leader.call({ type: 'double', n })
    await two.pass(5)
    expect([await failed, await answered]).toEqual([`TR-INTERNAL-001 no ${n}`, { n: 2 * n }])
  }
})

test('calls under way are bounded on both sides', async () => {
  const waiting = { double: () => new Promise<never>(() => {}) }
  const near = new TwoPeers(waiting, { callsMax: 2 })
  const [leader] = await near.open()
  const calls = [1, 2, 3].map((n) => codeOf(leader.call({ type: 'double', n }, { deadlineMs: 50 })))
  await near.pass(60)
  const codes = (await Promise.all(calls)).map((text) => text.slice(0, 10))
  expect(codes).toEqual(['TR-RPC-007', 'TR-RPC-007', 'TR-RPC-009'])
  // Those of before are still being answered over there.
  const refused = codeOf(leader.call({ type: 'double', n: 4 }))
  await near.pass(5)
  expect(await refused).toBe('TR-RPC-009 Cannot answer double: 2 calls are under way, which is the most')
})

test('a message that does not fit ends the connection with its code and place on both sides', async () => {
  const two = new TwoPeers()
  const [leader, follower] = await two.open()
  leader.send({ type: 'note', n: 'one' as never, data: 0 })
  await two.pass(5)
  expect(follower.lost?.message).toMatch(
    /^Cannot take the message note of taskmanager tm-1 at tm: n: .*expected number/,
  )
  expect(leader.lost).toMatchObject({ code: 'TR-RPC-006', message: follower.lost!.message })
})

test('an answer that does not fit is the error of whoever gives it', async () => {
  const two = new TwoPeers({ double: () => ({ n: 'four' }) as never })
  const [leader] = await two.open()
  const answer = codeOf(leader.call({ type: 'double', n: 2 }))
  await two.pass(5)
  expect(await answer).toMatch(/^TR-INTERNAL-001 Cannot answer double: n: /)
  expect(leader.lost).toBeUndefined()
})

test('what cannot be sent is refused to its sender, and nothing of it goes out', async () => {
  const two = new TwoPeers({}, { frameBytesMax: 2_000 })
  const [leader] = await two.open()
  expect(() => leader.send({ type: 'note', n: 1, data: { a: [() => 1] } })).toThrow(
    'Cannot send the message "note" to another process: there is a function at data.a.0; plain objects',
  )
  expect(() => leader.send({ type: 'note', n: 1, data: 'x'.repeat(3_000) })).toThrow(
    /^Cannot send the message "note" to jobmanager jm-1 at jm: it has \d+ bytes, at most 2000 may be sent \(pekko.framesize\)/,
  )
  expect(await codeOf(leader.call({ type: 'fail', text: 'x'.repeat(3_000) }))).toMatch(/^TR-RPC-008/)
  const answer = leader.call({ type: 'double', n: 2 })
  await two.pass(5)
  expect(await answer).toEqual({ n: 4 })
})

test('a handler of a message that throws is told of, and the connection goes on', async () => {
  const two = new TwoPeers({
    note: () => {
      throw new Error('bug')
    },
  })
  const [leader] = await two.open()
  leader.send({ type: 'note', n: 1, data: 0 })
  await two.pass(5)
  expect([two.errors, leader.lost]).toEqual([['Error: bug'], undefined])
})

test('close() says why to the other side, after all that was sent before', async () => {
  const notes: number[] = []
  const two = new TwoPeers({ note: ({ n }) => void notes.push(n) })
  const [leader, follower] = await two.open()
  leader.send({ type: 'note', n: 1, data: 0 })
  leader.close({ code: 'TR-CLUSTER-002', message: 'going home' })
  leader.send({ type: 'note', n: 2, data: 0 })
  await two.pass(5)
  expect(notes).toEqual([1])
  expect([leader.lost, follower.lost].map((error) => error?.message)).toEqual(['going home', 'going home'])
  expect(follower.lost?.code).toBe('TR-CLUSTER-002')
})

test('messages that come before handle() wait for it', async () => {
  const two = new TwoPeers()
  await two.listen()
  const dialled = two.dial()
  await two.pass(10)
  const leader = (await dialled).peer!
  const follower = two.peers[0]!
  for (let n = 0; n < 5; n++) follower.send({ type: 'tell', n })
  await two.pass(20_000, 1_000)
  expect(leader.lost).toBeUndefined()
  const told: number[] = []
  leader.handle({ tell: ({ n }) => void told.push(n), halve: ({ n }) => ({ n }) })
  await two.pass(5)
  expect(told).toEqual([0, 1, 2, 3, 4])
})

// --- epochs

test('a follower refuses an older leader: its calls by an answer, its messages by the end of the connection; the leader stops', async () => {
  const two = new TwoPeers()
  const [leader, follower] = await two.open()
  expect(two.followerFence.epoch).toBe(1)
  two.followerFence.see(4)
  const call = codeOf(follower.call({ type: 'halve', n: 4 }))
  await two.pass(5)
  expect(await call).toBe(
    'TR-RPC-005 Cannot answer halve for jobmanager jm-1 at jm: it is of epoch 1, and epoch 4 has begun',
  )
  expect(two.deposed).toEqual([4])
  follower.send({ type: 'tell', n: 1 })
  await two.pass(5)
  expect(leader.lost?.code).toBe('TR-RPC-005')
  expect(follower.lost?.message).toBe(
    'Cannot take tell for jobmanager jm-1 at jm: it is of epoch 1, and epoch 4 has begun',
  )
  expect(two.deposed).toEqual([4])
})

test('a leader that gets a message of a newer epoch stops', async () => {
  const two = new TwoPeers()
  const [leader] = await two.open()
  two.followerFence.see(2)
  leader.send({ type: 'note', n: 1, data: 0 })
  await two.pass(5)
  expect(two.deposed).toEqual([2])
})

test('a leader refuses what was said to an older one', async () => {
  const notes: number[] = []
  const two = new TwoPeers({ note: ({ n }) => void notes.push(n) })
  const [leader, follower] = await two.open()
  two.leaderFence.see(3)
  const call = codeOf(leader.call({ type: 'double', n: 4 }))
  leader.send({ type: 'note', n: 1, data: 0 })
  await two.pass(5)
  expect(await call).toMatch(/^TR-RPC-005/)
  expect([notes, follower.lost?.code]).toEqual([[], 'TR-RPC-005'])
})

test('port and listener: a port that is taken, one that nobody listens on', async () => {
  const two = new TwoPeers()
  const nobody = codeOf(two.dial())
  await two.pass(5)
  expect(await nobody).toBe(`TR-RPC-001 Cannot connect to ${ADDRESS.host}:${ADDRESS.port}: nobody listens`)
})
