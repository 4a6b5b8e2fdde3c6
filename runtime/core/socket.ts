/**
 * A connection that carries bytes, as an argument: by TCP or TLS in production (rpc/wire/tcp.ts), in memory with the faults of a seed in tests and the simulation
 * (testing/simulation/sockets.ts).
 *
 * What must hold: bytes arrive in order and once, or not at all; `onClose` comes once, after the last `onData`.
 */

export interface SocketEvents {
  /** The bytes are the receiver's until it returns; it copies what it keeps. */
  onData(bytes: Uint8Array): void
  /** `bufferedBytes` has come down to nothing, after it was more. */
  onDrain(): void
  /** The other side has ended, or the connection broke: then with what broke it. Nothing comes after. Not called after {@link ByteSocket.destroy}. */
  onClose(error?: Error): void
}

export interface ByteSocket {
  /** Who is at the other end, for messages: `10.0.0.7:41234`. */
  readonly remote: string
  /** The address of this side, without its port, where there is such a thing: how the other side's network reaches this machine. */
  readonly localHost?: string
  /** Written and not yet taken by the system. */
  readonly bufferedBytes: number
  /** Once. Nothing is told inside this call, nor inside {@link resume}. */
  listen(events: SocketEvents): void
  /** Without effect after the end. The bytes are the socket's from now on. */
  write(bytes: Uint8Array): void
  /** Sends what was written, and closes. */
  end(): void
  /** Closes at once; what was not sent yet is gone. */
  destroy(): void
  /** No `onData` until {@link resume}. */
  pause(): void
  resume(): void
}

export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** Opens a connection. Rejects with TR-RPC-001 when there is none within `timeoutMs`, with TR-TLS-002 when one side does not trust the other. */
export type Dial = (address: SocketAddress, timeoutMs: number) => Promise<ByteSocket>

export interface Listener {
  readonly address: SocketAddress
  /** No new connections; those that there are stay. */
  close(): Promise<void>
}

/** Takes connections; port 0 is any free one. Rejects with TR-CLUSTER-003 when the port is taken. */
export type Listen = (address: SocketAddress, onSocket: (socket: ByteSocket) => void) => Promise<Listener>
