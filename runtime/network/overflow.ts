/**
 * What a task could not send for want of credit, already encoded, in order per channel. In memory up to a bound, then on disk, up to a
 * second bound; beyond it the task fails (TR-TASK-003). The task takes no input until everything is sent, so this holds at most the
 * output of the records that were in hand: usually one batch, or the whole fan-out of one flatMap.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TailraceError } from '../core/errors.ts'
import { BUFFER_BYTES } from './buffer-pool.ts'
import { DATA, type EntryType, FRAGMENT, NO_BUFFER, type OutputEnd } from './channel-ends.ts'
import { EXCHANGE_SETTINGS } from './settings.ts'

/** Bounds in bytes. */
export interface OverflowLimits {
  memoryBytesMax: number
  diskBytesMax: number
}

interface Element {
  type: EntryType
  value: number
  length: number
  /** undefined: at `position` of the file, or no bytes at all when length is 0. */
  bytes: Buffer | undefined
  position: number
  /** Bytes already sent as fragments. */
  sent: number
}

/** Arrays that are kept for the next batches beyond the credit. */
const SPARE_MAX = 8

/** The overflow of all output channels of one task. */
export class Overflow {
  readonly #limits: OverflowLimits
  #file: { descriptor: number; directory: string } | undefined
  #filePosition = 0
  readonly #spare: Buffer[] = []
  memoryBytes = 0
  diskBytes = 0
  /** Elements in all queues. */
  size = 0

  constructor(limits: OverflowLimits = EXCHANGE_SETTINGS.overflow) {
    this.#limits = limits
  }

  /** An array of BUFFER_BYTES to encode a batch into that has no credit. */
  array(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
  }

  /** Takes back an array that nobody uses any more. */
  keep(array: ArrayBufferLike): void {
    if (array.byteLength === BUFFER_BYTES && this.#spare.length < SPARE_MAX) this.#spare.push(Buffer.from(array))
  }

  /** `bytes` become the overflow's own. */
  element(type: EntryType, value: number, bytes: Buffer | undefined): Element {
    const length = bytes?.length ?? 0
    const element: Element = { type, value, length, bytes, position: 0, sent: 0 }
    this.size++
    if (bytes === undefined) return element
    if (this.memoryBytes + length <= this.#limits.memoryBytesMax) {
      this.memoryBytes += length
      return element
    }
    if (this.diskBytes + length > this.#limits.diskBytesMax) {
      throw new TailraceError(
        'TR-TASK-003',
        `Cannot keep the output of the current record: ${this.memoryBytes + this.diskBytes} bytes wait already, the bound is ` +
          `${this.#limits.memoryBytesMax} in memory and ${this.#limits.diskBytesMax} on disk. Emit fewer results per record, or raise tailrace.task.overflow.disk-size`,
      )
    }
    if (this.#file === undefined) {
      const directory = mkdtempSync(join(tmpdir(), 'tailrace-overflow-'))
      this.#file = { descriptor: openSync(join(directory, 'overflow'), 'w+', 0o600), directory }
    }
    element.position = this.#filePosition
    element.bytes = undefined
    for (let at = 0; at < length; )
      at += writeSync(this.#file.descriptor, bytes, at, length - at, this.#filePosition + at)
    this.#filePosition += length
    this.diskBytes += length
    return element
  }

  /** Fills `target` with bytes of the element from `from` on. */
  read(element: Element, from: number, target: Buffer, at: number, length: number): void {
    if (element.bytes !== undefined) {
      element.bytes.copy(target, at, from, from + length)
      return
    }
    for (let done = 0; done < length; )
      done += readSync(this.#file!.descriptor, target, at + done, length - done, element.position + from + done)
  }

  /** The element has been sent whole. */
  release(element: Element): void {
    this.size--
    if (element.bytes !== undefined) {
      this.memoryBytes -= element.length
      // A shorter one may be a part of the pool that Node makes small buffers from.
      if (element.length * 2 > BUFFER_BYTES) this.keep(element.bytes.buffer)
    } else this.diskBytes -= element.length
    if (this.diskBytes === 0) this.#filePosition = 0
  }

  close(): void {
    if (this.#file === undefined) return
    closeSync(this.#file.descriptor)
    rmSync(this.#file.directory, { recursive: true, force: true })
    this.#file = undefined
  }
}

/** The queue of one channel. */
export class OverflowQueue {
  readonly #overflow: Overflow
  readonly #writer: OutputEnd
  #elements: Element[] = []
  #head = 0

  constructor(overflow: Overflow, writer: OutputEnd) {
    this.#overflow = overflow
    this.#writer = writer
  }

  get empty(): boolean {
    return this.#head === this.#elements.length
  }

  /** Elements that wait. */
  get length(): number {
    return this.#elements.length - this.#head
  }

  push(type: EntryType, value: number, bytes: Buffer | undefined): void {
    this.#elements.push(this.#overflow.element(type, value, bytes))
  }

  /** Sends as much as the credit allows. True when the queue is empty. */
  drain(): boolean {
    const writer = this.#writer
    while (this.#head < this.#elements.length) {
      if (!writer.hasRoom()) return false
      const element = this.#elements[this.#head]!
      if (element.length === 0) writer.publish(element.type, NO_BUFFER, 0, element.value)
      else {
        const buffer = writer.take(false)
        if (buffer === NO_BUFFER) return false
        const length = Math.min(element.length - element.sent, writer.capacityOf(buffer), BUFFER_BYTES)
        this.#overflow.read(element, element.sent, writer.bytesOf(buffer), writer.startOf(buffer), length)
        element.sent += length
        const last = element.sent === element.length
        writer.publish(last ? DATA : FRAGMENT, buffer, length, element.value)
        if (!last) continue
      }
      this.#overflow.release(element)
      this.#elements[this.#head++] = undefined as unknown as Element
    }
    this.#elements = []
    this.#head = 0
    return true
  }
}
