import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { systemClock, systemSchedule } from '../../core/clock.ts'
import type { ByteSocket, Listener } from '../../core/socket.ts'
import { followerFence, leaderFence } from './fence.ts'
import { acceptPeers, dialPeer } from './open.ts'
import { WIRE_SETTINGS } from './settings.ts'
import { tcpDial, tcpListen } from './tcp.ts'
import { type FollowerPeer, HELLO, type LeaderPeer, toFollower, toLeader } from './two-peers.suite.ts'

let listener: Listener | undefined
/** Of the side that has dialled. */
let socket: ByteSocket
afterEach(() => listener?.close())

/** Both ends of a connection by TCP. */
async function pair(onNote: (data: unknown) => void = () => {}): Promise<[LeaderPeer, FollowerPeer]> {
  const common = { settings: WIRE_SETTINGS, clock: systemClock, schedule: systemSchedule, onHandlerError: () => {} }
  const far = Promise.withResolvers<FollowerPeer>()
  listener = await acceptPeers({
    ...common,
    listen: tcpListen(),
    address: { host: '127.0.0.1', port: 0 },
    hello: { ...HELLO, role: 'jobmanager' },
    receives: toLeader,
    sends: toFollower,
    fence: leaderFence(1, () => {}),
    otherLeader: () => undefined,
    onPeer: (peer) => {
      peer.handle({ note: ({ data }) => onNote(data), double: ({ n }) => ({ n: 2 * n }), fail: () => null })
      far.resolve(peer)
    },
    onRefused: () => {},
  })
  const { peer } = await dialPeer({
    ...common,
    dial: async (...to) => (socket = await tcpDial()(...to)),
    address: listener.address,
    hello: { ...HELLO, role: 'taskmanager' },
    receives: toFollower,
    sends: toLeader,
    fence: followerFence(),
  })
  peer!.handle({ tell: () => {}, halve: ({ n }) => ({ n }) })
  return [peer!, await far.promise]
}

test('large messages come whole and in order by TCP, and drained() tells when they have gone out', async () => {
  const sizes: number[] = []
  const [leader, follower] = await pair((data) => void sizes.push((data as Uint8Array).length))
  for (const size of [20_000_000, 1, 3_000_000]) leader.send({ type: 'note', n: 0, data: new Uint8Array(size).fill(7) })
  expect(leader.outgoingBytes).toBeGreaterThan(1_000_000)
  await leader.drained()
  expect(leader.outgoingBytes).toBe(0)
  // Taken before the call behind them.
  expect(await leader.call({ type: 'double', n: 2 })).toEqual({ n: 4 })
  expect(sizes).toEqual([20_000_000, 1, 3_000_000])
  follower.close({ code: 'TR-CLUSTER-002', message: 'over' })
  await expect.poll(() => leader.lost?.message).toBe('over')
})

test('drained() resolves for little, too', async () => {
  const [leader] = await pair()
  leader.send({ type: 'note', n: 0, data: 1 })
  await leader.drained()
  expect(leader.outgoingBytes).toBe(0)
  leader.close({ code: 'TR-CLUSTER-002', message: 'over' })
})

test('a process that ends is lost at once, and what it was called for ends', async () => {
  const [, follower] = await pair()
  const lost = new Promise<string>((resolve) => follower.onLost((error) => resolve(`${error.code} ${error.message}`)))
  const call = follower.call({ type: 'halve', n: 1 }).catch((error) => error.code)
  // As the system does with the sockets of a process that is killed: without a goodbye.
  socket.destroy()
  expect(await lost).toMatch(/^TR-RPC-001 The connection to taskmanager x at 127.0.0.1:\d+ was lost: /)
  expect(await call).toBe('TR-RPC-001')
})

test('a stranger that resets its connection leaves nothing behind', async () => {
  const [leader] = await pair()
  const stranger = connect(listener!.address)
  await new Promise((resolve) => stranger.once('connect', resolve))
  stranger.write('x')
  stranger.resetAndDestroy()
  expect(await leader.call({ type: 'double', n: 1 })).toEqual({ n: 2 })
  leader.close({ code: 'TR-CLUSTER-002', message: 'over' })
})
