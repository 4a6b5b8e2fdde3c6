/**
 * Decodes and encodes single messages as a connector does: a message stands between other bytes, in a buffer that may end right behind it.
 */
import fc from 'fast-check'
import { expect } from 'vitest'
import { MalformedMessage, type MessageDecoder, type MessageEncoder } from './format.ts'

/** The value of a message, which is read in several surroundings; it must be the same in all of them, and so must the reason it throws. */
export function decodeOne<T>(decoder: MessageDecoder<T>, message: Uint8Array): T {
  const outcomes = [
    [0, 0, 0x22],
    [3, 0, 0x61],
    [5, 9, 0x61],
    [1, 12, 0x7d],
    [2, 1, 0x30],
  ].map(([before, after, filler]) => {
    const bytes = Buffer.alloc(before! + message.length + after!, filler)
    bytes.set(message, before)
    const copy = Buffer.from(bytes)
    try {
      return { value: decoder.decode(bytes, before!, before! + message.length) }
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      return { error }
    } finally {
      expect(bytes.equals(copy)).toBe(true)
      bytes.fill(0)
    }
  })
  for (const outcome of outcomes) {
    expect(outcome.error?.message).toBe(outcomes[0]!.error?.message)
    expect(outcome.value).toStrictEqual(outcomes[0]!.value)
  }
  if (outcomes[0]!.error !== undefined) throw outcomes[0]!.error
  return outcomes[0]!.value as T
}

/** The bytes of a value, as they would be sent. */
export function encodeOne<T>(encoder: MessageEncoder<T>, value: T): Buffer {
  const encoded = encoder.encode(value)
  expect(encoded).not.toBeNull()
  return Buffer.from(encoded as string)
}

/** Reads messages that are good, cut, changed and invented: each gives a value or MalformedMessage. Returns how many were malformed. */
export function mangle<T>(decoder: MessageDecoder<T>, good: readonly Uint8Array[], numRuns = 400): number {
  let malformed = 0
  const message = fc
    .tuple(
      fc.constantFrom(...good),
      fc.nat(1000),
      fc.array(fc.tuple(fc.nat(1000), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
      fc.uint8Array({ maxLength: 12 }),
    )
    .map(([bytes, cut, changes, tail]) => {
      const mangled = Buffer.concat([bytes.subarray(0, cut), tail])
      for (const [at, byte] of changes) if (mangled.length > 0) mangled[at % mangled.length] = byte
      return mangled
    })
  fc.assert(
    fc.property(message, (bytes) => {
      try {
        decodeOne(decoder, bytes)
      } catch (error) {
        if (!(error instanceof MalformedMessage)) throw error
        malformed++
      }
    }),
    { numRuns },
  )
  return malformed
}
