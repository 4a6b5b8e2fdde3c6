/**
 * A slot's links to the slots of other processes: one connection for each pair of slots, both directions, all channels. Of two slots the one with the lower
 * index in the job dials. Connections live on to the next attempt of the job where both ends do; they are known by the peer's address.
 *
 *   begin → output, input for each channel → open → flush at the end of every turn → end → begin of the next attempt, or close
 *
 * A thread that blocks does not see its sockets: while `active` is true the slot may not block, and has to give way to the event loop often.
 *
 * Memory of a slot: its pool of floating buffers; for each channel 9,280 bytes where it receives and 8,192 where it sends; a send buffer of 32 KB for each
 * open batch; for each peer 192 KB that is read into. What waits for a slow socket is bounded by the credit of its
 * channels: REMOTE_FLOATING_MAX batches of 32 KB and two of 4 KB for each.
 */
import type { Schedule } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import type { BufferPool } from '../buffer-pool.ts'
import { Connection } from './connection.ts'
import type { Caller, DataPort } from './data-port.ts'
import { WELCOME } from './frames.ts'
import { Greeting, sayHello, sayWelcome } from './greeting.ts'
import { type Hello, sameToken } from './hello.ts'
import { Link } from './link.ts'
import { PoolShares } from './pool-shares.ts'
import type { RemoteInput } from './remote-input.ts'
import type { Compression, RemoteOutput } from './remote-output.ts'
import { type Address, type Connect, connectSockets } from './sockets.ts'

export interface SlotLinksOptions {
  dataPort: DataPort
  connect?: Connect
  /** Entries or credit came: the slot should take a turn. */
  wake(): void
  compression?: Compression
  /** How long `open` waits for all peers. Milliseconds. */
  openTimeoutMs?: number
}

export interface LinksDeployment {
  jobId: string
  attempt: number
  /** This slot's index in the job. */
  slotIndex: number
  /** Data ports of the slots in other processes, by index. */
  peers: Readonly<Record<number, Address>>
  /** Secret of the deployment; both ends have it from the JobManager. */
  token: string
  /** This slot's pool. */
  pool: BufferPool
}

/** Name of the channel over an edge from a sender's subtask to a receiver's; the same on both ends. */
export function channelKey(edgeId: number, sender: number, receiver: number): string {
  return `${edgeId}:${sender}:${receiver}`
}

const OPEN_TIMEOUT_MS = 30_000
/** How often buffers may be asked back. */
const RECALL_MS = 10

export class SlotLinks {
  /** A peer is lost while the attempt needs it: once for each peer and attempt. */
  onLost: (peerSlot: number, error: TailraceError) => void = () => {}
  readonly #options: SlotLinksOptions
  readonly #port: DataPort
  readonly #schedule: Schedule
  readonly #connect: Connect
  #deployment: LinksDeployment | undefined
  #shares: PoolShares | undefined
  /** Links of the attempt by peer. */
  readonly #links = new Map<number, Link>()
  #active: Link[] = []
  /** Links with a connection, by the peer's address; those of earlier attempts too. */
  readonly #kept = new Map<string, Link>()
  #jobId: string | undefined
  #callers: Caller[] = []
  readonly #lost = new Set<number>()
  #opening: { resolve: () => void; reject: (error: Error) => void; stop: () => void } | undefined
  #mayRecall = true

  constructor(options: SlotLinksOptions) {
    this.#options = options
    this.#port = options.dataPort
    this.#schedule = options.dataPort.schedule
    this.#connect = options.connect ?? connectSockets()
    this.#port.onCaller = (caller) => this.#called(caller)
    this.#port.whyNot = () => {
      const deployment = this.#deployment
      return deployment === undefined
        ? 'this slot runs no job'
        : `this slot runs attempt ${deployment.attempt} of job ${deployment.jobId}`
    }
  }

  /** The attempt has channels to other processes. */
  get active(): boolean {
    return this.#links.size > 0
  }

  /** A channel waits for credit: the slot should soon give way, so that what has come is read. */
  get starved(): boolean {
    return this.#port.buffers.starved
  }

  /** Connections that the next attempt can use. */
  get kept(): number {
    return this.#kept.size
  }

  /** A new attempt; the one before ends. Of another job than the last, kept connections are closed. */
  begin(deployment: LinksDeployment): void {
    this.end()
    if (this.#jobId !== deployment.jobId) this.#closeKept('the slot runs another job')
    this.#jobId = deployment.jobId
    this.#deployment = deployment
    this.#shares = new PoolShares(deployment.pool)
    this.#lost.clear()
  }

  /** The sending end of a channel to a subtask in the slot `peerSlot`. */
  output(peerSlot: number, key: string): RemoteOutput {
    return this.#link(peerSlot).output(key)
  }

  /** The receiving end of a channel from a subtask in the slot `peerSlot`. */
  input(peerSlot: number, key: string): RemoteInput {
    return this.#link(peerSlot).input(key)
  }

  #link(peer: number): Link {
    const known = this.#links.get(peer)
    if (known !== undefined) return known
    const { attempt, peers } = this.#deployment!
    const address = peers[peer]
    if (address === undefined) throw new RangeError(`Cannot make a channel to slot ${peer}: it has no address`)
    const kept = this.#kept.get(nameOf(address))
    const link = kept ?? new Link({ ...this.#linkOptions() })
    link.begin(attempt, peer, this.#shares!)
    this.#links.set(peer, link)
    return link
  }

  #linkOptions() {
    const { compression = 'none', wake } = this.#options
    return { buffers: this.#port.buffers, compression, wake }
  }

  /**
   * All channels are made: connects to every peer. Resolves when all of them have begun the attempt; rejects with TR-EXCHANGE-002 when one refuses or
   * is not there in time. Channels have no credit before.
   */
  open(): Promise<void> {
    this.#active = [...this.#links.values()]
    if (this.#active.length === 0) return Promise.resolve()
    const opened = new Promise<void>((resolve, reject) => {
      const timeoutMs = this.#options.openTimeoutMs ?? OPEN_TIMEOUT_MS
      const stop = this.#schedule(timeoutMs, () => {
        const missing = [...this.#links].filter(([, link]) => !link.ready).map(([peer]) => this.#describe(peer))
        this.#settleOpen(
          new TailraceError(
            'TR-EXCHANGE-002',
            `Cannot open the channels of slot ${this.#deployment!.slotIndex}: ${missing.join(', ')} did not begin attempt ${this.#deployment!.attempt} within ${timeoutMs} ms`,
          ),
        )
      })
      this.#opening = { resolve, reject, stop }
    })
    for (const [peer, link] of this.#links) {
      link.whenReady = () => this.#checkOpen()
      if (link.connected) this.#openLink(link)
      else if (this.#deployment!.slotIndex < peer) this.#dial(peer, link)
    }
    const callers = this.#callers
    this.#callers = []
    for (const caller of callers) this.#called(caller)
    return opened
  }

  #describe(peer: number): string {
    return `slot ${peer} at ${nameOf(this.#deployment!.peers[peer]!)}`
  }

  #checkOpen(): void {
    if (this.#active.every((link) => link.ready)) this.#settleOpen()
  }

  #settleOpen(error?: Error): void {
    const opening = this.#opening
    if (opening === undefined) return
    this.#opening = undefined
    opening.stop()
    if (error === undefined) opening.resolve()
    else opening.reject(error)
  }

  #openLink(link: Link): void {
    try {
      link.open()
    } catch (error) {
      link.connection!.fail(error)
    }
  }

  #dial(peer: number, link: Link): void {
    const { jobId, attempt, slotIndex, token, peers } = this.#deployment!
    const greeting = new Greeting(WELCOME, () => {
      if (this.#links.get(peer) !== link) return connection.leave('the attempt is over')
      this.#attach(peer, link, connection)
    })
    const connection = new Connection({
      socket: this.#connect(peers[peer]!),
      pieces: this.#port.pieces,
      schedule: this.#schedule,
      keepAlive: this.#port.keepAlive,
      sink: greeting,
      open: () => sayHello(connection, { jobId, attempt, from: slotIndex, to: peer, token }),
    })
    greeting.connection = connection
    connection.closed = (error) => {
      if (this.#links.get(peer) === link && this.#deployment?.attempt === attempt) this.#lose(peer, error)
    }
  }

  #attach(peer: number, link: Link, connection: Connection): void {
    const address = this.#deployment!.peers[peer]!
    const name = nameOf(address)
    connection.dialAgain = () => this.#connect(address)
    this.#kept.set(name, link)
    connection.settled()
    connection.closed = (error) => {
      if (link.connection !== connection) return
      if (this.#kept.get(name) === link) this.#kept.delete(name)
      const needed = link.disconnected()
      if (needed && this.#links.get(link.peer) === link) this.#lose(link.peer, error)
    }
    link.attach(connection)
    this.#openLink(link)
  }

  #lose(peer: number, error: TailraceError): void {
    if (this.#lost.has(peer)) return
    this.#lost.add(peer)
    const lost = new TailraceError('TR-EXCHANGE-001', `Lost ${this.#describe(peer)}: ${error.message}`, {
      cause: error,
    })
    if (this.#opening !== undefined)
      this.#settleOpen(
        new TailraceError(
          'TR-EXCHANGE-002',
          `Cannot open the channels of slot ${this.#deployment!.slotIndex}: ${lost.message}`,
          { cause: error },
        ),
      )
    else this.onLost(peer, lost)
  }

  // --- who calls

  #called(caller: Caller): void {
    const { hello, connection } = caller
    if (connection.isClosed) return
    const verdict = this.#judge(hello)
    if (verdict === 'wait') this.#callers.push(caller)
    else if (verdict !== 'welcome') connection.leave(verdict)
    else {
      const link = this.#links.get(hello.from)!
      // What was there before has been closed on the other side, and the news is still under way.
      const old = link.connection
      sayWelcome(connection)
      this.#attach(hello.from, link, connection)
      old?.leave('the slot has called again')
    }
  }

  /** 'welcome', 'wait', or why not. */
  #judge({ jobId, attempt, from, to, token }: Hello): string {
    const deployment = this.#deployment
    // Open only: before, not all channels are there.
    if (
      deployment === undefined ||
      deployment.jobId !== jobId ||
      attempt > deployment.attempt ||
      this.#active.length === 0
    ) {
      this.#callers = this.#callers.filter((caller) => !caller.connection.isClosed)
      return 'wait'
    }
    const self = `slot ${deployment.slotIndex} of attempt ${deployment.attempt} of job ${jobId}`
    if (attempt < deployment.attempt) return `attempt ${attempt} is over: this is ${self}`
    if (!sameToken(token, deployment.token)) return `the token is not that of the deployment: this is ${self}`
    if (to !== deployment.slotIndex) return `slot ${to} was called: this is ${self}`
    const link = this.#links.get(from)
    if (link === undefined || from > deployment.slotIndex)
      return `slot ${from} has nothing to call for: this is ${self}`
    if (link.ready) return `slot ${from} is connected already: this is ${self}`
    return 'welcome'
  }

  // --- the turn

  /** Sends what the turn has made, one write for each peer. Call it at the end of every pass over the tasks. */
  flush(): void {
    const shares = this.#shares
    if (shares?.starving === true) {
      shares.serve()
      if (shares.starving && this.#mayRecall) {
        this.#mayRecall = false
        this.#schedule(RECALL_MS, () => {
          this.#mayRecall = true
        })
        for (const link of this.#active) link.recall()
      }
    }
    this.#port.buffers.starved = false
    for (const link of this.#active) link.flush()
  }

  /** The attempt is over; its tasks are closed. Connections stay. */
  end(): void {
    for (const link of this.#links.values()) link.end()
    this.#links.clear()
    this.#active = []
    this.#deployment = undefined
    this.#shares = undefined
    this.#settleOpen(new TailraceError('TR-EXCHANGE-002', 'Cannot open the channels: the attempt has ended'))
  }

  /** Closes all connections; the data port is its owner's. */
  close(): void {
    this.end()
    this.#closeKept('the slot is closing')
    for (const { connection } of this.#callers) connection.leave('the slot is closing')
    this.#callers = []
  }

  #closeKept(why: string): void {
    const kept = [...this.#kept.values()]
    this.#kept.clear()
    for (const link of kept) link.connection?.leave(why)
  }
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`
}
