/**
 * How two processes come to a connection: the one that dials says its hello, the other judges it and says its own, which is judged too.
 *
 * What must hold: each side gives up after `pekko.tcp.timeout`; whoever refuses says why; a leader that hears of a newer epoch stops, in the hello already.
 */
import type { Clock, Schedule } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import type { ByteSocket, Dial, Listen, Listener, SocketAddress } from '../../core/socket.ts'
import type { Catalog } from './catalog.ts'
import { Connection } from './connection.ts'
import { asTailraceError, type Farewell } from './farewell.ts'
import type { Fence } from './fence.ts'
import { KIND } from './frames.ts'
import { HELLO_BYTES_MAX, type Hello, helloFrame, judgeHello, nameOf, readHello } from './hello.ts'
import { Peer } from './peer.ts'
import type { WireSettings } from './settings.ts'

/** What both sides bring. */
export interface WireOptions<In extends Catalog, Out extends Catalog> {
  /** What this side is; its epoch is the fence's. */
  hello: Omit<Hello, 'epoch'>
  receives: In
  sends: Out
  fence: Fence
  settings: WireSettings
  clock: Clock
  schedule: Schedule
  /** A handler of a one-way message threw; the connection goes on. */
  onHandlerError(error: unknown, type: string): void
}

export interface DialOptions<In extends Catalog, Out extends Catalog> extends WireOptions<In, Out> {
  dial: Dial
  address: SocketAddress
}

/** Refused: by either side. With TR-RPC-004 `leader` says where to go, if that is known. */
export type Dialled<In extends Catalog, Out extends Catalog> =
  | { peer: Peer<In, Out>; refused?: undefined }
  | { peer?: undefined; refused: Farewell }

/**
 * Opens a connection. Rejects with TR-RPC-001 when nobody answers in time, TR-TLS-002 without trust. Call `peer.handle()` with what it gives.
 *
 * @example
 * const { peer, refused } = await dialPeer({ dial, address: { host: 'jobmanager', port: 6123 }, … })
 */
export async function dialPeer<In extends Catalog, Out extends Catalog>(
  options: DialOptions<In, Out>,
): Promise<Dialled<In, Out>> {
  const { dial, address, settings } = options
  const socket = await dial(address, settings.connectMs)
  return new Promise((resolve, reject) => {
    let farewell: Farewell | undefined
    const connection = greet(socket, options, {
      onPeer: (peer) => resolve({ peer }),
      onFarewell: (said) => {
        farewell = said
      },
      turnAway: () => undefined,
      welcome: () => {},
    })
    connection.onLost((error) => (farewell === undefined ? reject(error) : resolve({ refused: farewell })))
    connection.write(helloFrame({ ...options.hello, epoch: options.fence.epoch }))
  })
}

export interface AcceptOptions<In extends Catalog, Out extends Catalog> extends WireOptions<In, Out> {
  listen: Listen
  address: SocketAddress
  /** Undefined: this process leads. Otherwise who does, as far as is known. */
  otherLeader(): { address?: SocketAddress } | undefined
  /** A process has connected. It calls `peer.handle()`, now or later; messages wait. */
  onPeer(peer: Peer<In, Out>): void
  /** For the log: who was refused, and why; a connection that broke before its hello. Not who connects and closes without a word. */
  onRefused(error: TailraceError, remote: string): void
}

/** Connections that have not said their hello yet; more are turned away. */
const STRANGERS_MAX = 1_000

/** Takes connections until its end. Rejects with TR-CLUSTER-003 when the port is taken. Connections outlive the listener. */
export function acceptPeers<In extends Catalog, Out extends Catalog>(
  options: AcceptOptions<In, Out>,
): Promise<Listener> {
  const { listen, address, otherLeader, onPeer, onRefused } = options
  let strangers = 0
  return listen(address, (socket) => {
    if (strangers >= STRANGERS_MAX) {
      socket.destroy()
      onRefused(
        new TailraceError(
          'TR-RPC-009',
          `Cannot take ${socket.remote}: ${STRANGERS_MAX} others have not said who they are`,
        ),
        socket.remote,
      )
      return
    }
    strangers++
    let known = false
    const settled = () => {
      if (!known) strangers--
      known = true
    }
    const connection = greet(socket, options, {
      onPeer: (peer) => {
        settled()
        onPeer(peer)
      },
      onFarewell: () => {},
      welcome: () => connection.write(helloFrame({ ...options.hello, epoch: options.fence.epoch })),
      turnAway: (hello) => {
        const other = otherLeader()
        if (other === undefined) return undefined
        const where = other.address === undefined ? 'not known' : `${other.address.host}:${other.address.port}`
        return {
          code: 'TR-RPC-004',
          message: `Cannot connect ${nameOf(hello, socket.remote)} to ${options.hello.role} ${options.hello.instanceId}: it is not the leader, wanted is the leader, which is ${where}`,
          ...(other.address === undefined ? {} : { leader: other.address }),
        }
      },
    })
    connection.onLost((error) => {
      // A kubelet looks whether the port is open, every second of a start.
      if (!known && !connection.wasProbe) onRefused(error, socket.remote)
      settled()
    })
  })
}

interface Greeting<In extends Catalog, Out extends Catalog> {
  onPeer(peer: Peer<In, Out>): void
  onFarewell(farewell: Farewell): void
  /** The other's hello is well: why it should go elsewhere. */
  turnAway(hello: Hello): Farewell | undefined
  /** Says the own hello, where that was not done before. */
  welcome(): void
}

/** Waits for the other's hello and judges it. */
function greet<In extends Catalog, Out extends Catalog>(
  socket: ByteSocket,
  options: WireOptions<In, Out>,
  { onPeer, onFarewell, turnAway, welcome }: Greeting<In, Out>,
): Connection {
  const { settings, schedule, fence } = options
  const connection = new Connection({ socket, settings, schedule, bytesMax: HELLO_BYTES_MAX })
  const stopTimer = schedule(settings.connectMs, () =>
    connection.lose(
      new TailraceError(
        'TR-RPC-001',
        `Cannot connect to ${socket.remote}: it has not said who it is within ${settings.connectMs / 1000} s (pekko.tcp.timeout)`,
      ),
    ),
  )
  connection.onLost(stopTimer)
  const refuse = (farewell: Farewell): void => {
    onFarewell(farewell)
    connection.close(farewell, KIND.refusal)
  }
  connection.onFarewell = (farewell) => {
    if (farewell.epoch !== undefined) fence.see(farewell.epoch)
    onFarewell(farewell)
  }
  connection.onFrame = (kind, body) => {
    let found: ReturnType<typeof readHello>
    try {
      found = readHello(kind, body, socket.remote)
    } catch (error) {
      const { code, message } = asTailraceError(error, `Cannot speak with ${socket.remote}`)
      refuse({ code, message })
      return
    }
    const own = { ...options.hello, epoch: fence.epoch }
    // Who does not lead has no epoch that could be compared.
    const refusal =
      judgeHello(own, found, socket.remote) ??
      turnAway(found.hello!) ??
      judgeEpoch(found.hello!, own, fence, socket.remote)
    if (refusal !== undefined) {
      refuse(refusal)
      return
    }
    welcome()
    stopTimer()
    const hello = found.hello!
    connection.remote = nameOf(hello, socket.remote)
    connection.allow(settings.frameBytesMax)
    onPeer(new Peer({ ...options, connection, hello }))
  }
  return connection
}

/** A follower does not go back to an older leader; a leader that hears of a newer one is none any more. */
function judgeEpoch(hello: Hello, own: Hello, fence: Fence, remote: string): Farewell | undefined {
  const leader = hello.role === 'jobmanager' ? hello : own
  // What a follower that begins has seen counts for nothing.
  const current = hello === leader || hello.epoch > own.epoch ? fence.see(hello.epoch) : true
  // It may have risen.
  const epoch = leader === own ? fence.epoch : hello.epoch
  if (current && fence.newest <= epoch) return undefined
  return {
    code: 'TR-RPC-005',
    message: `Cannot connect ${nameOf(hello, remote)} to ${nameOf(own)}: the JobManager leads epoch ${epoch}, and epoch ${fence.newest} has begun`,
    epoch: fence.newest,
  }
}
