import { createRequire } from 'node:module'
import { expect, test } from 'vitest'

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
