/** What is in a frame: a value as msgpack, checked on the way out and again on the way in. */
import { createPackr, createUnpackr } from '../../codec/msgpack.ts'
import { TailraceError } from '../../core/errors.ts'
import { checkClonable, DEPTH_MAX } from './clonable.ts'
import { skim } from './skim.ts'

/** Of one message; far more than any has. */
const OBJECTS_MAX = 2 ** 20

const LIMITS = { depthMax: DEPTH_MAX, objectsMax: OBJECTS_MAX }
const packr = createPackr()
/** They may be handed on to a thread, and the frame's memory is larger. */
const unpackr = createUnpackr({ copyBuffers: true })

/** Throws TR-RPC-008 for what cannot be sent. @param what for the text: `the message "splits"` */
export function packBody(value: unknown, what: string): Uint8Array {
  checkClonable(value, what)
  const bytes = packr.pack(value)
  const problem = skim(bytes, LIMITS)
  if (problem !== undefined)
    throw new TailraceError('TR-RPC-008', `Cannot send ${what} to another process: it ${problem}`)
  return bytes
}

/** Throws TR-RPC-006 for bytes that no {@link packBody} has made. */
export function unpackBody(bytes: Uint8Array, what: string): unknown {
  const problem = skim(bytes, LIMITS)
  if (problem !== undefined) throw new TailraceError('TR-RPC-006', `Cannot read ${what}: it ${problem}`)
  try {
    // Not as a Buffer, or bytes in it would be Buffers.
    return unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
  } catch (cause) {
    throw new TailraceError('TR-RPC-006', `Cannot read ${what}: ${(cause as Error).message}`, { cause })
  }
}
