/**
 * The other process: calls and one-way messages to it, and what is done with its own.
 *
 *     call     kind 3 | epoch: f64 | number: u48 | deadline, ms: u32 | length of the type: u8 | type | msgpack
 *     answer   kind 4 | epoch: f64 | number: u48 | msgpack
 *     failure  kind 5 | epoch: f64 | number: u48 | msgpack of ErrorData
 *     one-way  kind 6 | epoch: f64 | length of the type: u8 | type | msgpack
 *
 * What must hold:
 * - messages of one direction are taken in the order of sending, each once; a handler of a one-way message ends before the next message is read;
 * - a call ends once: with its answer, an error of the other side, its deadline, or the loss of the connection. What comes later is ignored;
 * - what carries an older epoch than this side knows is refused, a call by an answer, a one-way message by the end of the connection (all that follows is of the same epoch);
 * - what does not fit its shape ends the connection.
 */
import type { z } from 'zod'
import type { Clock, Schedule } from '../../core/clock.ts'
import { errorFromData, errorToData, TailraceError } from '../../core/errors.ts'
import { packBody, unpackBody } from './body.ts'
import {
  type AnswerTo,
  type Call,
  type CallMessage,
  type Catalog,
  type Handlers,
  misfit,
  type OneWay,
  type OneWayMessage,
} from './catalog.ts'
import type { Connection } from './connection.ts'
import { errorData } from './error-data.ts'
import { asTailraceError, type Farewell } from './farewell.ts'
import type { Fence } from './fence.ts'
import { FRAME_HEADER_BYTES, KIND, newFrame } from './frames.ts'
import type { Hello } from './hello.ts'
import type { WireSettings } from './settings.ts'

export interface PeerOptions<In extends Catalog, Out extends Catalog> {
  connection: Connection
  hello: Hello
  receives: In
  sends: Out
  fence: Fence
  settings: WireSettings
  clock: Clock
  schedule: Schedule
  /** A handler of a one-way message threw. The connection goes on. */
  onHandlerError(error: unknown, type: string): void
}

interface Pending {
  readonly type: string
  readonly answer: z.ZodType
  resolve(answer: unknown): void
  reject(error: TailraceError): void
  stopTimer(): void
}

const EPOCH_BYTES = 8
const NUMBER_BYTES = 6
/** Deadlines are u32. */
const DEADLINE_MAX_MS = 2 ** 32 - 1

export class Peer<In extends Catalog = Catalog, Out extends Catalog = Catalog> {
  /** Who it is, as it said. */
  readonly hello: Hello
  readonly #options: PeerOptions<In, Out>
  readonly #connection: Connection
  #handlers: Handlers<In> | undefined
  #early: { kind: number; body: Buffer }[] | undefined = []
  readonly #pending = new Map<number, Pending>()
  #lastCall = 0
  /** Calls of the other side that have no answer yet. */
  #answering = 0

  constructor(options: PeerOptions<In, Out>) {
    this.#options = options
    this.#connection = options.connection
    this.hello = options.hello
    options.connection.pause()
    options.connection.onFrame = (kind, body) => this.#receive(kind, body)
    options.connection.onFarewell = ({ epoch }) => void (epoch !== undefined && options.fence.see(epoch))
    options.connection.onLost((error) => this.#fail(error))
  }

  /** For messages: `taskmanager tm-1 at 10.0.0.7:41234`. */
  get name(): string {
    return this.#connection.remote
  }

  /** Why it is gone; undefined while it is there. */
  get lost(): TailraceError | undefined {
    return this.#connection.lost
  }

  /** Written, and not yet taken by the system. */
  get outgoingBytes(): number {
    return this.#connection.outgoingBytes
  }

  /** What is done with its messages, once; those that have come before are taken now. */
  handle(handlers: Handlers<In>): void {
    this.#handlers = handlers
    const early = this.#early ?? []
    this.#early = undefined
    for (const { kind, body } of early) this.#connection.take(() => this.#receive(kind, body))
    this.#connection.resume()
  }

  /** Calls back once, at once when it is lost, on a later turn when it was lost before. */
  onLost(handler: (error: TailraceError) => void): void {
    this.#connection.onLost(handler)
  }

  /** Resolves when nothing waits to be sent, or it is lost. For whoever sends much: await it between the pieces. */
  drained(): Promise<void> {
    return this.#connection.drained()
  }

  /** Says why and closes. */
  close(farewell: Farewell): void {
    this.#connection.close(farewell)
  }

  /**
   * Sends a message that has no answer. To a side that is lost it goes nowhere: {@link onLost} has told.
   *
   * Throws TR-RPC-008 for what cannot be sent.
   */
  send(message: OneWayMessage<Out>): void {
    const { type } = message as { type: string }
    if (definitionOf(this.#options.sends, type)?.kind !== 'oneWay')
      throw new TypeError(`Cannot send "${type}": it is no one-way message`)
    this.#connection.write(this.#frame(KIND.oneWay, 0, type, message, () => {}))
  }

  /**
   * Rejects with the other side's error, TR-RPC-007 at the deadline (`pekko.ask.timeout` when none is given), TR-RPC-001 when the connection is lost, TR-RPC-008 for what cannot be sent,
   * TR-RPC-009 when too many calls are under way.
   */
  async call<M extends CallMessage<Out>>(
    message: M,
    { deadlineMs = this.#options.settings.callMs }: { deadlineMs?: number } = {},
  ): Promise<AnswerTo<Out, M>> {
    const { sends, schedule, settings } = this.#options
    const { type } = message as { type: string }
    const definition = definitionOf(sends, type)
    if (definition?.kind !== 'call') throw new TypeError(`Cannot call "${type}": it is no call`)
    if (this.lost !== undefined) throw this.lost
    if (this.#pending.size >= settings.callsMax)
      throw new TailraceError(
        'TR-RPC-009',
        `Cannot call ${type} of ${this.name}: ${settings.callsMax} calls are under way, which is the most`,
      )
    const number = this.#lastCall + 1
    const wholeMs = Math.min(DEADLINE_MAX_MS, Math.max(1, Math.ceil(deadlineMs)))
    const frame = this.#frame(KIND.call, NUMBER_BYTES + 4, type, message, (bytes, at) => {
      bytes.writeUIntBE(number, at, NUMBER_BYTES)
      bytes.writeUInt32BE(wholeMs, at + NUMBER_BYTES)
    })
    this.#lastCall = number
    return new Promise((resolve, reject) => {
      const stopTimer = schedule(wholeMs, () => {
        this.#pending.delete(number)
        reject(
          new TailraceError('TR-RPC-007', `Cannot call ${type} of ${this.name}: no answer within ${wholeMs / 1000} s`),
        )
      })
      this.#pending.set(number, { type, answer: definition.answer, resolve: resolve as never, reject, stopTimer })
      this.#connection.write(frame)
    })
  }

  // --- what comes

  /** Throws what ends the connection. */
  #receive(kind: number, body: Buffer): void {
    if (this.#early !== undefined) {
      this.#early.push({ kind, body: Buffer.from(body) })
      return
    }
    const cursor = { body, at: 0, name: this.name }
    const epoch = read(cursor, EPOCH_BYTES).readDoubleBE(cursor.at - EPOCH_BYTES)
    if (!Number.isSafeInteger(epoch) || epoch < 0)
      throw new TailraceError('TR-RPC-006', `Cannot take what ${this.name} sends: its epoch is ${epoch}`)
    switch (kind) {
      case KIND.call:
        this.#takeCall(epoch, cursor)
        break
      case KIND.answer:
      case KIND.failure:
        this.#takeAnswer(epoch, kind, cursor)
        break
      case KIND.oneWay:
        this.#takeOneWay(epoch, cursor)
        break
      default:
        throw new TailraceError('TR-RPC-006', `Cannot take what ${this.name} sends: there is no frame of kind ${kind}`)
    }
  }

  #takeOneWay(epoch: number, cursor: Cursor): void {
    const type = readType(cursor)
    const { receives, fence, onHandlerError } = this.#options
    const definition = definitionOf(receives, type)
    if (definition?.kind !== 'oneWay')
      throw new TailraceError(
        'TR-RPC-006',
        `Cannot take what ${this.name} sends: there is no one-way message "${type}"`,
      )
    const message = this.#open(definition, `the message ${type} of ${this.name}`, cursor)
    // Last, so that no damaged frame counts as the word of a newer leader.
    if (!fence.see(epoch)) {
      this.close(this.#fenced(`take ${type}`, epoch))
      return
    }
    try {
      this.#handlers![type]!(message as never, undefined as never)
    } catch (error) {
      onHandlerError(error, type)
    }
  }

  #takeCall(epoch: number, cursor: Cursor): void {
    const number = read(cursor, NUMBER_BYTES).readUIntBE(cursor.at - NUMBER_BYTES, NUMBER_BYTES)
    const deadlineMs = read(cursor, 4).readUInt32BE(cursor.at - 4)
    const type = readType(cursor)
    const { receives, fence, settings, clock } = this.#options
    const definition = definitionOf(receives, type)
    if (definition?.kind !== 'call')
      throw new TailraceError('TR-RPC-006', `Cannot take what ${this.name} sends: there is no call "${type}"`)
    const message = this.#open(definition, `the call ${type} of ${this.name}`, cursor)
    if (!fence.see(epoch)) {
      const refusal = this.#fenced(`answer ${type}`, epoch)
      this.#answerFailure(number, type, new TailraceError(refusal.code, refusal.message))
      return
    }
    if (this.#answering >= settings.callsMax) {
      const text = `Cannot answer ${type}: ${settings.callsMax} calls are under way, which is the most`
      this.#answerFailure(number, type, new TailraceError('TR-RPC-009', text))
      return
    }
    this.#answering++
    const endMs = clock.monotonic() + deadlineMs
    const handler = this.#handlers![type] as (message: unknown, context: object) => unknown
    void (async () => handler(message, { deadlineMs }))()
      .then(
        (answer) => {
          // Nobody waits any more.
          if (clock.monotonic() <= endMs) this.#answer(number, definition, answer)
        },
        (error) => this.#answerFailure(number, type, error),
      )
      .finally(() => this.#answering--)
  }

  #takeAnswer(epoch: number, kind: number, cursor: Cursor): void {
    const number = read(cursor, NUMBER_BYTES).readUIntBE(cursor.at - NUMBER_BYTES, NUMBER_BYTES)
    if (number === 0 || number > this.#lastCall)
      throw new TailraceError(
        'TR-RPC-006',
        `Cannot take what ${this.name} sends: it answers call ${number}, which nobody made`,
      )
    const pending = this.#pending.get(number)
    if (pending === undefined) return
    this.#pending.delete(number)
    pending.stopTimer()
    const what = `the answer of ${this.name} to ${pending.type}`
    try {
      const body = unpackBody(cursor.body.subarray(cursor.at), what)
      const problem = misfit(kind === KIND.answer ? pending.answer : errorData, body)
      if (problem !== undefined) throw new TailraceError('TR-RPC-006', `Cannot take ${what}: ${problem}`)
      const current = this.#options.fence.see(epoch)
      if (kind === KIND.failure) pending.reject(errorFromData(body as never))
      else if (!current) {
        const { code, message } = this.#fenced(`take the answer to ${pending.type}`, epoch)
        pending.reject(new TailraceError(code, message))
      } else pending.resolve(body)
    } catch (error) {
      pending.reject(asTailraceError(error, `Cannot take ${what}`))
      throw error
    }
  }

  #open(definition: OneWay | Call, what: string, { body, at }: Cursor): unknown {
    const message = unpackBody(body.subarray(at), what)
    const problem = misfit(definition.message, message)
    if (problem !== undefined) throw new TailraceError('TR-RPC-006', `Cannot take ${what}: ${problem}`)
    return message
  }

  #fenced(what: string, epoch: number): Farewell & { epoch: number } {
    const { newest } = this.#options.fence
    return {
      code: 'TR-RPC-005',
      message: `Cannot ${what} for ${this.name}: it is of epoch ${epoch}, and epoch ${newest} has begun`,
      epoch: newest,
    }
  }

  // --- what goes

  #answer(number: number, definition: Call, answer: unknown): void {
    const { type } = definition
    try {
      const problem = misfit(definition.answer, answer)
      if (problem !== undefined) throw new TailraceError('TR-INTERNAL-001', `Cannot answer ${type}: ${problem}`)
      this.#connection.write(this.#answerFrame(KIND.answer, number, answer, `the answer to ${type}`))
    } catch (error) {
      this.#answerFailure(number, type, error)
    }
  }

  #answerFailure(number: number, type: string, error: unknown): void {
    this.#connection.write(
      this.#answerFrame(KIND.failure, number, shortened(errorToData(error)), `the failure of ${type}`),
    )
  }

  #answerFrame(kind: number, number: number, value: unknown, what: string): Buffer {
    return this.#sealed(kind, NUMBER_BYTES, value, what, (bytes, at) => bytes.writeUIntBE(number, at, NUMBER_BYTES))
  }

  #frame(
    kind: number,
    headBytes: number,
    type: string,
    message: unknown,
    head: (bytes: Buffer, at: number) => void,
  ): Buffer {
    return this.#sealed(kind, headBytes + 1 + type.length, message, `the message "${type}"`, (bytes, at) => {
      head(bytes, at)
      bytes[at + headBytes] = type.length
      bytes.latin1Write(type, at + headBytes + 1)
    })
  }

  #sealed(
    kind: number,
    headBytes: number,
    value: unknown,
    what: string,
    head: (bytes: Buffer, at: number) => void,
  ): Buffer {
    const { fence, settings } = this.#options
    const body = packBody(value, what)
    const length = EPOCH_BYTES + headBytes + body.length
    if (length + 1 > settings.frameBytesMax)
      throw new TailraceError(
        'TR-RPC-008',
        `Cannot send ${what} to ${this.name}: it has ${length + 1} bytes, at most ${settings.frameBytesMax} may be sent (pekko.framesize)`,
      )
    const frame = newFrame(kind, length)
    frame.writeDoubleBE(fence.epoch, FRAME_HEADER_BYTES)
    head(frame, FRAME_HEADER_BYTES + EPOCH_BYTES)
    frame.set(body, frame.length - body.length)
    return frame
  }

  #fail(error: TailraceError): void {
    for (const { reject, stopTimer } of this.#pending.values()) {
      stopTimer()
      reject(error)
    }
    this.#pending.clear()
  }
}

/** Not what every object has. */
function definitionOf(catalog: Catalog, type: string): OneWay | Call | undefined {
  return Object.hasOwn(catalog, type) ? catalog[type] : undefined
}

interface Cursor {
  readonly body: Buffer
  readonly name: string
  at: number
}

/** Moves on over `bytes`. */
function read(cursor: Cursor, bytes: number): Buffer {
  cursor.at += bytes
  if (cursor.at > cursor.body.length)
    throw new TailraceError('TR-RPC-006', `Cannot take what ${cursor.name} sends: a frame is cut off`)
  return cursor.body
}

function readType(cursor: Cursor): string {
  const length = read(cursor, 1)[cursor.at - 1]!
  return read(cursor, length).latin1Slice(cursor.at - length, cursor.at)
}

const TEXT_CHARS_MAX = 64 * 1024
const CAUSES_MAX = 8

/** So that a failure can always be sent. */
function shortened<E extends ReturnType<typeof errorToData>>(data: E, causes = CAUSES_MAX): E {
  const { message, stack, operator, cause, ...rest } = data
  return {
    ...rest,
    message: message.slice(0, TEXT_CHARS_MAX).toWellFormed(),
    stack: stack.slice(0, TEXT_CHARS_MAX).toWellFormed(),
    ...(operator === undefined ? {} : { operator: operator.slice(0, TEXT_CHARS_MAX).toWellFormed() }),
    ...(cause === undefined || causes === 0 ? {} : { cause: shortened(cause, causes - 1) }),
  } as E
}
