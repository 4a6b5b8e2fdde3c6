/** Two processes with a few messages between them, on virtual time and sockets in memory. */
import { z } from 'zod'
import { VirtualTime } from '../../core/virtual-time.suite.ts'
import { SocketNet, type SocketNetOptions } from '../../testing/simulation/sockets.ts'
import { call, catalog, type Handlers, oneWay } from './catalog.ts'
import { type Fence, followerFence, type Lead, leaderFence } from './fence.ts'
import { acceptPeers, type Dialled, dialPeer } from './open.ts'
import type { Peer } from './peer.ts'
import { WIRE_SETTINGS, type WireSettings } from './settings.ts'

export const toLeader = catalog(
  oneWay('note', { n: z.number(), data: z.unknown() }),
  call('double', { n: z.number() }, z.strictObject({ n: z.number() })),
  call('fail', { text: z.string() }, z.null()),
)
export const toFollower = catalog(
  oneWay('tell', { n: z.number() }),
  call('halve', { n: z.number() }, z.strictObject({ n: z.number() })),
)
export type Leader = typeof toLeader
export type Follower = typeof toFollower
export type FollowerPeer = Peer<Leader, Follower>
export type LeaderPeer = Peer<Follower, Leader>

export const ADDRESS = { host: 'jm', port: 6123 }
export const HELLO = { version: '1.0.0', clusterId: 'c', instanceId: 'x' }

/** Lets promises go on. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export class TwoPeers {
  readonly time = new VirtualTime()
  readonly net: SocketNet
  readonly leaderFence: Fence
  readonly followerFence: Fence
  readonly deposed: number[] = []
  readonly refused: string[] = []
  readonly errors: string[] = []
  /** Of the leader's side. */
  readonly peers: FollowerPeer[] = []
  otherLeader: { address?: { host: string; port: number } } | undefined
  settings: WireSettings
  readonly leaderHandlers: Handlers<Leader>

  constructor(
    handlers: Partial<Handlers<Leader>> = {},
    settings: Partial<WireSettings> = {},
    net: SocketNetOptions = { random: () => 0.5, latencyMs: () => 1, pieceBytesMax: Number.POSITIVE_INFINITY },
    epochs: { leader?: number; follower?: number; lead?: Lead } = {},
  ) {
    this.net = new SocketNet(net)
    this.settings = { ...WIRE_SETTINGS, ...settings }
    this.leaderFence = leaderFence(epochs.leader ?? 1, (epoch) => this.deposed.push(epoch), epochs.lead)
    this.followerFence = followerFence(undefined, epochs.follower)
    this.leaderHandlers = {
      note: () => {},
      double: ({ n }) => ({ n: 2 * n }),
      fail: ({ text }) => {
        throw new Error(text)
      },
      ...handlers,
    }
  }

  /** Time passes, and with each millisecond all that follows from it. */
  async pass(ms: number, stepMs = 1): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await settle()
      this.time.advance(stepMs)
    }
    await settle()
  }

  async listen(hello: Partial<typeof HELLO & { role: 'jobmanager' | 'taskmanager' }> = {}, fence = this.leaderFence) {
    const { clock, schedule } = this.time
    return acceptPeers({
      listen: this.net.host('jm', schedule).listen,
      address: ADDRESS,
      hello: { ...HELLO, instanceId: 'jm-1', role: 'jobmanager', ...hello },
      receives: toLeader,
      sends: toFollower,
      fence,
      settings: this.settings,
      clock,
      schedule,
      otherLeader: () => this.otherLeader,
      onPeer: (peer) => {
        this.peers.push(peer)
        peer.handle(this.leaderHandlers)
      },
      onRefused: (error) => this.refused.push(`${error.code} ${error.message}`),
      onHandlerError: (error) => this.errors.push(String(error)),
    })
  }

  dial(
    hello: Partial<typeof HELLO & { role: 'jobmanager' | 'taskmanager' }> = {},
    fence = this.followerFence,
  ): Promise<Dialled<Follower, Leader>> {
    const { clock, schedule } = this.time
    return dialPeer({
      dial: this.net.host('tm', schedule).dial,
      address: ADDRESS,
      hello: { ...HELLO, instanceId: 'tm-1', role: 'taskmanager', ...hello },
      receives: toFollower,
      sends: toLeader,
      fence,
      settings: this.settings,
      clock,
      schedule,
      onHandlerError: (error) => this.errors.push(String(error)),
    })
  }

  /** Both ends of a connection. */
  async open(handlers: Partial<Handlers<Follower>> = {}): Promise<[leader: LeaderPeer, follower: FollowerPeer]> {
    await this.listen()
    const dialled = this.dial()
    await this.pass(10)
    const { peer, refused } = await dialled
    if (peer === undefined) throw new Error(refused.message)
    peer.handle({ tell: () => {}, halve: ({ n }) => ({ n: n / 2 }), ...handlers })
    return [peer, this.peers.at(-1)!]
  }
}
