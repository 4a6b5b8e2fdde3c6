/** The last words of a side that closes a connection, or opens none. JSON, so that every version of the protocol reads it. */
import { z } from 'zod'
import { ERRORS, type ErrorCode, isTailraceError, TailraceError } from '../../core/errors.ts'
import type { SocketAddress } from '../../core/socket.ts'
import { newFrame } from './frames.ts'

export interface Farewell {
  code: ErrorCode
  message: string
  /** With TR-RPC-005: the newest epoch that the side has seen. */
  epoch?: number
  /** With TR-RPC-004: where the leader is, if that is known. */
  leader?: SocketAddress
}

export const errorCodes = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])
export const epochs = z.number().int().nonnegative()
export const addresses = z.strictObject({ host: z.string().max(255), port: z.number().int().min(0).max(65_535) })

const farewells = z.object({
  code: errorCodes,
  message: z.string(),
  epoch: epochs.optional(),
  leader: addresses.optional(),
})

const MESSAGE_CHARS_MAX = 2_000

export function farewellFrame(kind: number, { message, ...rest }: Farewell): Buffer {
  const text = Buffer.from(JSON.stringify({ message: message.slice(0, MESSAGE_CHARS_MAX), ...rest }))
  const frame = newFrame(kind, text.length)
  frame.set(text, frame.length - text.length)
  return frame
}

/** Whatever the bytes are. */
export function readFarewell(body: Buffer, remote: string): Farewell {
  try {
    return farewells.parse(JSON.parse(body.toString('utf8')))
  } catch {
    return {
      code: 'TR-RPC-001',
      message: `The connection to ${remote} was closed by the other side for a reason that this version cannot read`,
    }
  }
}

export const errorOf = ({ code, message }: Farewell): TailraceError => new TailraceError(code, message)

/** Anything thrown while `what` was done. */
export function asTailraceError(error: unknown, what: string): TailraceError {
  if (isTailraceError(error)) return error
  return new TailraceError('TR-RPC-006', `${what}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}
