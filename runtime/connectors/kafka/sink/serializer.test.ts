import { expect, test } from 'vitest'
import { NO_TIMESTAMP } from '../../../core/clock.ts'
import { json } from '../../../formats/json/index.ts'
import { partitionOfKey } from './partitioner.ts'
import { RecordSerializer, type SerializerOptions } from './serializer.ts'

interface Alert {
  user: string | null
  n: number
}

const alert: Alert = { user: 'ann', n: 3 }
const serializer = (options: Partial<SerializerOptions<Alert>> = {}, subtask = 0) =>
  new RecordSerializer<Alert>({ topic: 'alerts', value: json<Alert>(), ...options }, subtask, () => 0.5)
const fields = (options: Partial<SerializerOptions<Alert>>, value = alert, eventTimeMs = 1000) => {
  const made = serializer(options)
  made.serialize(value, eventTimeMs)
  const { topic, key, headers, timestampMs } = made
  return { topic, key, value: made.value === null ? null : Buffer.from(made.value).toString(), headers, timestampMs }
}

test('without more options a record has its value and its event time', () => {
  expect(fields({})).toEqual({
    topic: 'alerts',
    key: null,
    value: '{"user":"ann","n":3}',
    headers: undefined,
    timestampMs: 1000,
  })
})

test('a function gives the value of a record: text, bytes, or none', () => {
  expect(fields({ value: ({ user }) => user }).value).toBe('ann')
  expect(fields({ value: ({ n }) => Buffer.from([64 + n]) }).value).toBe('C')
  expect(fields({ value: ({ user }) => user }, { user: null, n: 0 }).value).toBeNull()
  const wrong = { value: ({ n }: Alert) => n } as unknown as Partial<SerializerOptions<Alert>>
  expect(() => fields(wrong)).toThrow('of type number: the function "value" must give text, bytes or null')
})

test.each([
  ['text', 'ann', 'ann'],
  ['a number', 7, '7'],
  ['a bigint', 7n, '7'],
  ['a boolean', false, 'false'],
  ['bytes', Buffer.from([0, 1]), Buffer.from([0, 1])],
  ['null', null, null],
  ['undefined', undefined, null],
])('a key that is %s', (_what, key, part) => {
  expect(fields({ key: () => key }).key).toEqual(part)
})

test('a key of a format', () => {
  const { key } = fields({ key: ({ n }) => ({ n }), keyFormat: json() })
  expect(Buffer.from(key!).toString()).toBe('{"n":3}')
})

test.each([[{ key: { n: 1 } }], [{ key: [1] }]])(
  'a key of no format must be text, a number or bytes: %j',
  ({ key }) => {
    expect(() => fields({ key: () => key })).toThrow('or "keyFormat"')
  },
)

test('the topic of each record', () => {
  expect(fields({ topic: ({ user }) => `alerts-${user}` }).topic).toBe('alerts-ann')
  expect(() => fields({ topic: () => '' })).toThrow(
    'Cannot write to the topic "": the function "topic" must give a name',
  )
  expect(() => fields({ topic: (() => undefined) as any })).toThrow('the function "topic" must give a name')
  expect(serializer({ topic: () => 'a' }).topics).toEqual([])
  expect(serializer().topics).toEqual(['alerts'])
})

test('headers, as an object or as a list', () => {
  expect(fields({ headers: () => ({ a: 'x', b: null }) }).headers).toEqual([
    ['a', 'x'],
    ['b', null],
  ])
  const twice = [
    ['a', 'x'],
    ['a', 'y'],
  ] as const
  expect(fields({ headers: () => twice }).headers).toEqual(twice)
})

test.each([
  [1000.75, 1000],
  [0, 0],
  [-5, NO_TIMESTAMP],
  [NO_TIMESTAMP, NO_TIMESTAMP],
])('event time %d is %d in Kafka', (eventTimeMs, timestampMs) => {
  expect(fields({}, alert, eventTimeMs).timestampMs).toBe(timestampMs)
})

test('a time of the user', () => {
  expect(fields({ timestamp: ({ n }, eventTimeMs) => n + eventTimeMs! }).timestampMs).toBe(1003)
  expect(
    fields({ timestamp: (_, eventTimeMs) => (eventTimeMs === null ? 9 : 8) }, alert, NO_TIMESTAMP).timestampMs,
  ).toBe(9)
  for (const wrong of [-1, 1.5, Number.NaN, '5' as any, undefined as any])
    expect(() => fields({ timestamp: () => wrong })).toThrow(`Cannot write a record with the time ${wrong}`)
})

test('a value that the format makes null is a tombstone', () => {
  const nothing = { createMessageEncoder: () => ({ encode: () => null }) } as any
  expect(fields({ value: nothing }).value).toBeNull()
})

/** Partitions of six records in a row, of eight; a batch ends after each third. */
function partitions(options: Partial<SerializerOptions<Alert>>, subtask = 0): number[] {
  const made = serializer(options, subtask)
  return [0, 1, 2, 3, 4, 5].map((n) => {
    if (n === 3) made.moveOn()
    made.serialize({ ...alert, n }, 0)
    return made.partition({ ...alert, n }, 8)
  })
}

test.each<[string, Partial<SerializerOptions<Alert>>, number[]]>([
  ['without a key: a partition for each batch', {}, [4, 4, 4, 5, 5, 5]],
  ['round-robin: the next for each record', { partitioner: 'round-robin' }, [4, 5, 6, 7, 0, 1]],
  ['fixed: that of the writer', { partitioner: 'fixed' }, [3, 3, 3, 3, 3, 3]],
  ['with a key: by its hash', { key: () => 'ann' }, Array(6).fill(partitionOfKey('ann', 8))],
  ['fixed, whatever the key', { key: () => 'ann', partitioner: 'fixed' }, [3, 3, 3, 3, 3, 3]],
  ['by a function', { partitioner: ({ n }, _key, of) => (n * 3) % of }, [0, 3, 6, 1, 4, 7]],
])('partitions %s', (_what, options, wanted) => {
  expect(partitions(options, 11)).toEqual(wanted)
})

test('partitions of topics are chosen apart', () => {
  const made = serializer({ topic: ({ user }) => user! })
  const to = (user: string) => {
    made.serialize({ user, n: 0 }, 0)
    return made.partition({ user, n: 0 }, 4)
  }
  expect([to('a'), to('b'), to('a'), to('b')]).toEqual([2, 2, 2, 2])
  made.moveOn()
  expect([to('a'), to('a'), to('b')]).toEqual([3, 3, 3])
})

test('a partition that is decided later is that of the record then, not of one between', () => {
  const made = serializer({ key: ({ user }) => Buffer.from(user!) })
  made.serialize(alert, 0)
  const later = made.partitionLater(alert)
  made.serialize({ user: 'bob', n: 0 }, 0)
  expect(later(1000)).toBe(partitionOfKey('ann', 1000))
})

test('openTopic() opens both formats', async () => {
  const opened: string[] = []
  const format = {
    createMessageEncoder: () => ({
      encode: () => null,
      open: async (topic: string, part: string) => void opened.push(`${topic} ${part}`),
    }),
  }
  await serializer({ value: format as any, keyFormat: format as any }).openTopic('alerts')
  expect(opened).toEqual(['alerts value', 'alerts key'])
})
