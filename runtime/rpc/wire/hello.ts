/**
 * The first frame of each side: who it is. Each side judges the other's and refuses with a code, what was found and what is wanted.
 *
 *     "tailrace" | protocol: u16 | JSON
 *
 * What must hold: the first ten bytes, the frames that carry them and the refusal (farewell.ts) stay as they are in every version of the protocol, so that versions can tell each other apart.
 */
import { z } from 'zod'
import { TailraceError } from '../../core/errors.ts'
import { epochs, type Farewell } from './farewell.ts'
import { KIND, newFrame } from './frames.ts'

/** Raised with each change of frames or messages that another copy of the same version of Tailrace would not understand. */
export const PROTOCOL = 1
/** Nobody is trusted with more before the hello. */
export const HELLO_BYTES_MAX = 16 * 1024

const MAGIC = Buffer.from('tailrace')

export type Role = 'jobmanager' | 'taskmanager'

export interface Hello {
  /** Of Tailrace. */
  version: string
  clusterId: string
  role: Role
  /** Unique to this start of the process. */
  instanceId: string
  /** Of a leader its own, of a follower the newest that it has seen. */
  epoch: number
}

/** As read; before the protocol is compared nothing else is known. */
export type ReadHello = { protocol: number; hello: Hello | undefined }

const text = z.string().max(256)
const hellos = z.object({
  version: text,
  clusterId: text,
  role: z.enum(['jobmanager', 'taskmanager']),
  instanceId: text,
  epoch: epochs,
})

export function helloFrame(hello: Hello): Buffer {
  const json = Buffer.from(JSON.stringify(hello))
  const frame = newFrame(KIND.hello, MAGIC.length + 2 + json.length)
  const at = frame.length - json.length
  frame.set(MAGIC, at - MAGIC.length - 2)
  frame.writeUInt16BE(PROTOCOL, at - 2)
  frame.set(json, at)
  return frame
}

/** Throws TR-RPC-002 when it is none. */
export function readHello(kind: number, body: Buffer, remote: string): ReadHello {
  if (kind !== KIND.hello || body.length < MAGIC.length + 2 || !body.subarray(0, MAGIC.length).equals(MAGIC))
    throw new TailraceError(
      'TR-RPC-002',
      `Cannot speak with ${remote}: it does not begin as a process of Tailrace does`,
    )
  const protocol = body.readUInt16BE(MAGIC.length)
  if (protocol !== PROTOCOL) return { protocol, hello: undefined }
  try {
    return { protocol, hello: hellos.parse(JSON.parse(body.toString('utf8', MAGIC.length + 2))) }
  } catch (cause) {
    throw new TailraceError('TR-RPC-002', `Cannot speak with ${remote}: its hello cannot be read`, { cause })
  }
}

/** Why there is to be no connection between the two; undefined: there is nothing against it. The leader's epoch is another matter (open.ts). */
export function judgeHello(own: Hello, { protocol, hello }: ReadHello, remote: string): Farewell | undefined {
  const refuse = (code: Farewell['code'], found: string, wanted: string): Farewell => {
    return { code, message: `Cannot connect ${nameOf(hello, remote)} to ${nameOf(own)}: ${found}, ${wanted}` }
  }
  if (hello === undefined)
    return refuse('TR-RPC-002', `it speaks version ${protocol} of the protocol`, `version ${PROTOCOL} is wanted`)
  if (hello.version !== own.version)
    return refuse('TR-RPC-002', `it is of Tailrace ${hello.version}`, `${own.version} is wanted`)
  if (hello.clusterId !== own.clusterId)
    return refuse('TR-RPC-003', `it belongs to the cluster "${hello.clusterId}"`, `"${own.clusterId}" is wanted`)
  if (hello.role === own.role)
    return refuse(
      'TR-RPC-002',
      `it is a ${hello.role}`,
      `a ${own.role === 'jobmanager' ? 'taskmanager' : 'jobmanager'} is wanted`,
    )
  return undefined
}

/** `taskmanager tm-1 at 10.0.0.7:41234` */
export function nameOf(hello: Hello | undefined, remote?: string): string {
  const name = hello === undefined ? 'a process' : `${hello.role} ${hello.instanceId}`
  return remote === undefined ? name : `${name} at ${remote}`
}
