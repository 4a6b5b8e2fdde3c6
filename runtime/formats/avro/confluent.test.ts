import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isTailraceError } from '../../core/errors.ts'
import { MalformedMessage, type MessageDecoder, MessageNotReady } from '../format.ts'
import { decodeOne, encodeOne, mangle } from '../message.suite.ts'
import { type AvroConfluentOptions, avro, avroConfluent } from './index.ts'
import { startTestRegistry, type TestRegistry } from './registry.suite.ts'

const record = (fields: any[], name = 'User') => ({ type: 'record', name, fields })
const first = record([{ name: 'id', type: 'int' }])
const second = record([
  { name: 'id', type: 'int' },
  { name: 'name', type: 'string', default: '?' },
])

let registry: TestRegistry
let slept: number[]
let nowMs: number
beforeEach(async () => {
  registry = await startTestRegistry()
  slept = []
  nowMs = 1000
})
afterEach(() => registry.close())

const format = (options: Partial<AvroConfluentOptions> = {}) =>
  avroConfluent({ registry: registry.url, ...options }, { sleep: async (ms) => slept.push(ms), now: () => nowMs })

/** As a connector does it: waits, and asks again. */
async function read<T>(decoder: MessageDecoder<T>, message: Uint8Array): Promise<T> {
  for (;;) {
    try {
      return decodeOne(decoder, message)
    } catch (error) {
      if (!(error instanceof MessageNotReady)) throw error
      await error.ready
    }
  }
}

const framed = (id: number, schema: any, value: unknown) => {
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  return Buffer.concat([header, encodeOne(avro({ schema }).createMessageEncoder(), value)])
}
const failure = async (promise: Promise<unknown>): Promise<any> => {
  const error: any = await promise.catch((thrown) => thrown)
  expect(isTailraceError(error)).toBe(true)
  return error
}
const open = async (options: Partial<AvroConfluentOptions>) => {
  const encoder = format(options).createMessageEncoder()
  await encoder.open!('clicks', 'value')
  return encoder
}

describe('avroConfluent() reading', () => {
  it('fetches the schema of each id once, for all of its decoders', async () => {
    const [a, b] = [registry.add('u', first), registry.add('u', second)]
    const shared = format()
    const decoders = [shared.createMessageDecoder(), shared.createMessageDecoder()]
    const messages = [
      framed(a, first, { id: 1 }),
      framed(b, second, { id: 2, name: 'ann' }),
      framed(a, first, { id: 3 }),
    ]
    for (const decoder of decoders) {
      const values: unknown[] = []
      for (const message of messages) values.push(await read(decoder, message))
      expect(values).toEqual([{ id: 1 }, { id: 2, name: 'ann' }, { id: 3 }])
    }
    expect(registry.requests).toEqual([`GET /schemas/ids/${a}`, `GET /schemas/ids/${b}`])
  })

  it('resolves what writers wrote to its own schema', async () => {
    const id = registry.add('u', first)
    const decoder = format({ schema: second }).createMessageDecoder()
    expect(await read(decoder, framed(id, first, { id: 1 }))).toEqual({ id: 1, name: '?' })
    const other = registry.add('v', record([{ name: 'id', type: 'string' }]))
    const wrong = framed(other, record([{ name: 'id', type: 'string' }]), { id: 'x' })
    await expect(read(decoder, wrong)).rejects.toThrow('the field "id" of User: string cannot be read as int')
    await expect(read(decoder, wrong)).rejects.toThrow(MalformedMessage)
    expect(await read(decoder, framed(id, first, { id: 2 }))).toEqual({ id: 2, name: '?' })
  })

  it('fetches the schemas that a schema refers to', async () => {
    registry.add('city', record([{ name: 'name', type: 'string' }], 'a.City'))
    const references = (subject: string) => ({ references: [{ name: subject, subject, version: 1 }] })
    registry.add('home', record([{ name: 'city', type: 'a.City' }], 'a.Home'), references('city'))
    const outer = record([{ name: 'home', type: 'a.Home' }])
    const id = registry.add('u', outer, references('home'))
    const message = Buffer.from([0, 0, 0, 0, id, 4, 97, 98])
    expect(await read(format().createMessageDecoder(), message)).toEqual({ home: { city: { name: 'ab' } } })
  })

  it('calls malformed what is no frame, of no known schema, or cut', async () => {
    const id = registry.add('u', first)
    const json = registry.add('j', '{"x":1}', { schemaType: 'JSON' })
    const decoder = format().createMessageDecoder()
    for (const [message, reason] of [
      [[], 'it has 0 bytes, wanted a zero byte'],
      [[123, 34, 97, 34, 58, 49, 125], 'it begins with the byte 123, wanted 0'],
      [[0, 255, 0, 0, 0, 1], "the schema's id is -16777216"],
      [[0, 0, 0, 0, 99, 1], `its schema is unknown at ${registry.url} (40403: Schema 99 not found)`],
      [[0, 0, 0, 0, json, 1], 'is JSON, wanted AVRO'],
      [[0, 0, 0, 0, id], 'the message ends within a value'],
    ] as const) {
      await expect(read(decoder, Uint8Array.from(message))).rejects.toThrow(MalformedMessage)
      await expect(read(decoder, Uint8Array.from(message))).rejects.toThrow(reason)
    }
    expect(
      mangle({ decode: (...part) => afterwards(decoder, ...part) }, [framed(id, first, { id: 1 })]),
    ).toBeGreaterThan(50)
  })

  it('asks for an unknown schema again after a while, and not for each message', async () => {
    const message = framed(1, first, { id: 1 })
    const decoder = format().createMessageDecoder()
    for (let i = 0; i < 3; i++) await expect(read(decoder, message)).rejects.toThrow(MalformedMessage)
    expect(registry.requests).toHaveLength(1)
    registry.add('late', first)
    nowMs += 10_000
    expect(await read(decoder, message)).toEqual({ id: 1 })
  })

  /** Ids that nobody knows are not asked for. */
  const afterwards = (decoder: MessageDecoder<unknown>, bytes: Buffer, start: number, end: number) => {
    if (end - start > 4 && bytes[start] === 0 && bytes.readInt32BE(start + 1) !== 1)
      throw new MalformedMessage('another id')
    return decoder.decode(bytes, start, end)
  }

  it('asks again after faults, with growing pauses, and in the end gives up', async () => {
    const id = registry.add('u', first)
    const message = framed(id, first, { id: 1 })
    registry.faults = ['cut', 503, 429, 502]
    expect(await read(format().createMessageDecoder(), message)).toEqual({ id: 1 })
    expect(slept).toEqual([200, 400, 800, 1600])
    registry.faults = Array(3).fill(500)
    const decoder = format({ registry: { url: registry.url, retriesMax: 2 } }).createMessageDecoder()
    const error = await failure(read(decoder, message))
    expect(error.code).toBe('TR-FORMAT-003')
    expect(error.message).toBe(
      `Cannot get the schema 1 at the schema registry ${registry.url}: 50001: as the test wants it, after 3 attempts`,
    )
    expect(await read(decoder, message)).toEqual({ id: 1 })
  })

  it('says which registry cannot be reached, or does not answer', async () => {
    const message = framed(1, first, { id: 1 })
    registry.faults = ['hang']
    const hanging = format({
      registry: { url: registry.url, retriesMax: 0, requestTimeoutMs: 50 },
    }).createMessageDecoder()
    expect((await failure(read(hanging, message))).message).toContain('no answer within 50 ms')
    // The request may come when nobody waits for it any more; it must not take the next fault.
    await expect.poll(() => registry.faults).toEqual([])
    registry.faults = ['nonsense']
    expect((await failure(read(format().createMessageDecoder(), message))).message).toContain(
      'it answered 200 with no JSON',
    )
    const gone = { url: 'http://ann:secret@127.0.0.1:1/base/', retriesMax: 1 }
    const error = await failure(read(format({ registry: gone }).createMessageDecoder(), message))
    expect(error.message).toMatch(
      /^Cannot get the schema 1 at the schema registry http:\/\/127.0.0.1:1\/base: .*ECONNREFUSED.* after 2 attempts/,
    )
    expect(() => format({ registry: 'registry:8081' })).toThrow('must begin with http:// or https://')
  })

  it('shows who it is', async () => {
    const message = framed(registry.add('u', first), first, { id: 1 })
    const basic = `Basic ${Buffer.from('ann:p:w').toString('base64')}`
    for (const [auth, authorization] of [
      [{ username: 'ann', password: 'p:w' }, basic],
      [{ token: 'abc' }, 'Bearer abc'],
    ] as const) {
      registry.authorization = authorization
      const options = { registry: { url: registry.url, auth, headers: { 'x-tenant': 't' } } }
      expect(await read(format(options).createMessageDecoder(), message)).toEqual({ id: 1 })
      expect(registry.headers['x-tenant']).toBe('t')
    }
    registry.authorization = basic
    const inUrl = registry.url.replace('//', '//ann:p%3Aw@')
    expect(await read(format({ registry: inUrl }).createMessageDecoder(), message)).toEqual({ id: 1 })
    const error = await failure(read(format().createMessageDecoder(), message))
    expect(error.code).toBe('TR-FORMAT-002')
    expect(error.message).toContain('40101: Unauthorized; check "auth"')
  })
})

describe('avroConfluent() writing', () => {
  it('registers its schema under the topic and reads back what it wrote', async () => {
    const encoder = await open({ schema: second })
    const message = encodeOne(encoder, { id: 7, name: 'ann' })
    expect(message.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, 1]))
    expect(await read(format().createMessageDecoder(), message)).toEqual({ id: 7, name: 'ann' })
    const key = format({ schema: first }).createMessageEncoder()
    await key.open!('clicks', 'key')
    await open({ schema: first, subject: 'a/b' })
    expect(registry.requests).toEqual([
      'POST /subjects/clicks-value/versions',
      'GET /schemas/ids/1',
      'POST /subjects/clicks-key/versions',
      'POST /subjects/a%2Fb/versions',
    ])
    expect(encoder.encode(null)).toBeNull()
    expect(() => encoder.encode({ id: 'x' })).toThrow('Cannot write the field "id" as avro (User)')
  })

  it('looks its schema up without autoRegister, or takes the latest without a schema', async () => {
    registry.add('clicks-value', first)
    const id = registry.add('clicks-value', second)
    expect(encodeOne(await open({ schema: second, autoRegister: false }), { id: 1, name: '' })[4]).toBe(id)
    expect(encodeOne(await open({}), { id: 1 })).toEqual(framed(id, second, { id: 1 }))
  })

  it.each([
    [{}, '"clicks-value" at the schema registry URL: 40401: Subject \'clicks-value\' not found.; register a schema'],
    [{ schema: first, autoRegister: false }, 'Cannot find the schema in the subject "clicks-value" at'],
    [
      { schema: record([], 'User'), subject: 'taken' },
      '409: Schema being registered is incompatible with an earlier schema for subject "taken"; the schema breaks',
    ],
    [
      { schema: second, autoRegister: false, subject: 'taken' },
      '40403: Schema not found; register it, or set autoRegister',
    ],
    [
      { subject: 'json' },
      'Cannot get the latest schema of the subject "json" at the schema registry URL: it is JSON, wanted AVRO',
    ],
  ])('fails with what the registry said: %j', async (options, text) => {
    registry.add('taken', first)
    registry.add('json', '{}', { schemaType: 'JSON' })
    const error = await failure(open(options))
    expect(error.code).toBe('TR-FORMAT-002')
    expect(error.message).toContain(text.replace('URL', registry.url))
  })

  it('does not write before it is open', () => {
    expect(() => format().createMessageEncoder().encode({})).toThrow('the encoder has not been opened')
  })
})
