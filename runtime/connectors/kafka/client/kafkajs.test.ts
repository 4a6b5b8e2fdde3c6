import { createRequire } from 'node:module'
import { expect, test, vi } from 'vitest'
import { createBroker } from './kafkajs.ts'

const load = createRequire(import.meta.url)

let copies = 0

/** Loads a copy of the door, with one module of the package changed. */
async function doorWith(changed: string, instead: (real: any) => unknown): Promise<typeof import('./kafkajs.ts')> {
  const real = load(changed)
  const entry = load.cache[load.resolve(changed)]!
  entry.exports = instead(real)
  try {
    return await import(`./kafkajs.ts?copy=${copies++}`)
  } finally {
    entry.exports = real
  }
}

test('the package is the one that is wanted', async () => {
  const { KAFKAJS_ERROR_NAMES, newEncoder } = await doorWith('kafkajs/src/loggers', (real) => real)
  expect(KAFKAJS_ERROR_NAMES.get(3)).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  expect(newEncoder().writeInt16(258).buffer).toEqual(Buffer.from([1, 2]))
})

test.each<[string, string, (real: any) => unknown]>([
  ['a method', 'kafkajs/src/network/connectionPool', () => class {}],
  ['a request', 'kafkajs/src/protocol/requests/apiKeys', (real) => ({ ...real, EndTxn: 99 })],
  ['levels of logs', 'kafkajs/src/loggers', (real) => ({ ...real, LEVELS: {} })],
])('a package that lacks %s is refused at once', async (_what, changed, instead) => {
  await expect(doorWith(changed, instead)).rejects.toMatchObject({
    code: 'TR-INTERNAL-001',
    message: expect.stringMatching(/^Cannot use the package kafkajs 2\.2\.4: it lacks src\/.*Wanted: 2\.2\.4/),
  })
})

test('a request waits while its broker throttles, and nothing looks for the end of that at other times', () => {
  vi.useFakeTimers({ now: 1_000_000 })
  try {
    const broker = createBroker({
      host: 'kafka',
      port: 9092,
      clientId: 'test',
      ssl: undefined,
      sasl: undefined,
      connectionTimeoutMs: 1000,
      requestTimeoutMs: 1000,
      socketFactory: undefined,
    })
    const { requestQueue: queue } = (broker.connectionPool as any).pool[0]
    let sent = 0
    const request = (correlationId: number) => ({
      entry: { correlationId, apiName: 'Metadata', apiVersion: 6, resolve() {} },
      expectResponse: true,
      requestTimeout: 1000,
      sendRequest: () => sent++,
    })
    queue.push(request(1))
    queue.fulfillRequest({ correlationId: 1, payload: Buffer.alloc(0), size: 0 })
    expect(sent).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
    queue.maybeThrottle(50)
    queue.push(request(2))
    vi.advanceTimersByTime(49)
    expect(sent).toBe(1)
    vi.advanceTimersByTime(2)
    expect(sent).toBe(2)
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})
