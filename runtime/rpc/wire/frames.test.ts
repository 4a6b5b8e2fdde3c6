import { expect, test } from 'vitest'
import { Random } from '../../testing/simulation/random.ts'
import { FrameReader, KIND, newFrame } from './frames.ts'

const frameOf = (kind: number, text: string) => {
  const frame = newFrame(kind, text.length)
  frame.latin1Write(text, 5)
  return frame
}

function reader(bytesMax = 100) {
  const frames: string[] = []
  const reader = new FrameReader({
    bytesMax,
    onFrame: (kind, body) => frames.push(`${kind} ${Buffer.from(body).toString('latin1')}`),
  })
  return { frames, reader }
}

test('frames come whole however the bytes are cut', () => {
  const wanted = [...Array(50).keys()].map((n) => `${1 + (n % 8)} ${'x'.repeat(n)}`)
  const bytes = Buffer.concat(wanted.map((text) => frameOf(Number(text[0]), text.slice(2))))
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed)
    const { frames, reader: r } = reader()
    for (let at = 0; at < bytes.length; ) {
      const length = seed === 0 ? bytes.length : 1 + random.below(seed === 1 ? 1 : 200)
      // The memory of a piece is used again.
      const piece = Buffer.from(bytes.subarray(at, at + length))
      r.push(piece)
      piece.fill(0)
      at += length
    }
    expect(frames).toEqual(wanted)
  }
})

test.each([
  ['too long', Buffer.of(0, 0, 0, 101, 1), 'Cannot read a frame of 101 bytes: 1 to 100 are wanted'],
  ['endless', Buffer.of(255, 255, 255, 255), 'Cannot read a frame of 4294967295 bytes'],
  ['empty', Buffer.of(0, 0, 0, 0), 'Cannot read a frame of 0 bytes'],
  ['of TLS', Buffer.of(0x16, 3, 1, 2, 0), 'security.ssl.internal.enabled must be the same on both'],
  ['of HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'speaks HTTP'],
])('a frame that is %s is refused at its length', (_, bytes, text) => {
  const { frames, reader: r } = reader()
  r.push(frameOf(KIND.oneWay, 'fine'))
  expect(() => r.push(bytes)).toThrow(text)
  expect(frames).toEqual([`${KIND.oneWay} fine`])
})

test('memory grows with what has come, not with what was announced', () => {
  const { reader: r } = reader(2 ** 30)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(2 ** 30)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 20; i++) {
    const { reader: another } = reader(2 ** 30)
    another.push(head)
    another.push(Buffer.alloc(100))
  }
  r.push(head)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 2 ** 20)
})

test('nothing comes after stop()', () => {
  const frames: number[] = []
  const r: FrameReader = new FrameReader({
    bytesMax: 100,
    onFrame: (kind) => {
      frames.push(kind)
      if (frames.length === 2) r.stop()
    },
  })
  r.push(Buffer.concat([frameOf(1, 'a'), frameOf(2, 'b'), frameOf(3, 'c')]))
  r.push(frameOf(4, 'd'))
  expect(frames).toEqual([1, 2])
})
