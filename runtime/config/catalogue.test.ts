import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { RECORDS_MAX } from '../codec/batch.ts'
import { MAX_PARALLELISM_LIMIT } from '../core/key-groups.ts'
import { HISTORY_MAX, TIMEOUTS } from '../jobmanager/dispatcher.ts'
import { EXCEPTIONS_MAX } from '../jobmanager/exception-history.ts'
import { OPERATION_KEPT_MS } from '../jobmanager/operations.ts'
import { knownKeys, lookUp } from './catalogue.ts'
import { ConfigValues, namesOf } from './option.ts'
import { JOB } from './options/job.ts'
import { NETWORK } from './options/network.ts'
import { SLOTS } from './options/processes.ts'
import { REST } from './options/rest.ts'
import { GROUPS, OPTIONS } from './options.ts'
import { PENDING } from './pending.ts'
import { REFUSED } from './refused.ts'
import { REDACTED_KEYS } from './secrets.ts'

const runtime = fileURLToPath(new URL('..', import.meta.url))

/** What ships, without the definitions themselves. */
const sources = globSync('**/*.{ts,tsx}', { cwd: runtime })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => !/^config\/(?!directories\.)|^testing\/|\.(test|suite|bench)\.tsx?$/.test(file))
  .map((file) => readFileSync(`${runtime}/${file}`, 'utf8'))
  .join('\n')
  // Comments read nothing.
  .replace(/\/\*.*?\*\/|^\s*\/\/[^\n]*/gms, '')

describe('options', () => {
  const fields = GROUPS.flatMap(({ name, options }) =>
    Object.entries(options).map(([field, option]) => ({ name: `${name}.${field}`, key: option.key })),
  )

  it('are read by the sources, but for those that are pending', () => {
    const isRead = ({ name }: { name: string }) => new RegExp(`\\b${name.replace('.', '\\.')}\\b`).test(sources)
    const unread = fields.filter((field) => !isRead(field)).flatMap(({ key }) => (key === REDACTED_KEYS ? [] : key))
    expect([...PENDING].toSorted()).toEqual(unread.toSorted())
  })

  it('are the only place of their keys', () => {
    const again = OPTIONS.flatMap(namesOf).filter((key) => key.includes('.') && sources.includes(`'${key}'`))
    expect(again.toSorted()).toEqual([...SPELLED_OUT].toSorted())
  })

  it.each(OPTIONS.filter(({ standard }) => standard !== undefined))('have a default of their type: $key', (option) => {
    expect(new ConfigValues({}, 'TR-CONFIG-001').get(option)).toEqual(option.type.parse(option.standard!))
  })

  it('have keys of their own', () => {
    const keys = OPTIONS.map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
    const shared = OPTIONS.flatMap(({ older }) => older).filter((name) => keys.includes(name))
    expect(shared).toEqual([])
    for (const key of Object.keys(REFUSED)) expect(keys).not.toContain(key)
  })

  it('agree with what the parts take when nobody says anything', () => {
    const read = new ConfigValues({}, 'TR-CONFIG-001')
    expect(read.get(NETWORK.recordsPerBatch)).toBe(RECORDS_MAX)
    expect(read.get(REST.exceptionHistory)).toBe(EXCEPTIONS_MAX)
    expect(read.get(REST.endedJobs)).toBe(HISTORY_MAX)
    expect(read.get(REST.operationKept)).toBe(OPERATION_KEPT_MS)
    expect({
      deployMs: read.get(SLOTS.deployTimeout),
      cancelMs: read.get(JOB.cancellationTimeout),
      slotsMs: read.get(SLOTS.requestTimeout),
    }).toEqual(TIMEOUTS)
    expect(JOB.parallelism.type.parse(String(MAX_PARALLELISM_LIMIT))).toBe(MAX_PARALLELISM_LIMIT)
    expect(() => JOB.parallelism.type.parse(String(MAX_PARALLELISM_LIMIT + 1))).toThrow('from 1 to 32768')
  })
})

/** Keys that authors' calls set: there they are easier to read in full. */
const SPELLED_OUT = [
  'execution.buffer-timeout.interval',
  'parallelism.default',
  'pipeline.max-parallelism',
  'pipeline.operator-chaining.enabled',
]

describe('lookUp()', () => {
  it.each([
    ['execution.checkpointing.interval', 'option'],
    ['state.checkpoints.dir', 'option'],
    ['user.artifacts.http-headers.accept', 'option'],
    ['jobmanager.memory.flink.size', 'option'],
    ['execution.runtime-mode', 'refused'],
    ['env.java.opts.jobmanager', 'without effect'],
    ['state.backend.rocksdb.memory.managed', 'without effect'],
    ['metrics.reporter.my_one.factory.class', 'without effect'],
    ['metrics.reporter.influxdb.host', 'without effect'],
    ['my.own.key', undefined],
    ['state.backends', undefined],
    ['restart-strategy.typ', undefined],
    ['constructor', undefined],
  ])('knows %s as %s', (key, kind) => {
    expect(lookUp(key)?.kind).toBe(kind)
  })

  it('knows two options by an older name that stood for both', () => {
    const known = lookUp('state.backend.local-recovery')
    expect(known?.kind === 'option' && known.options.map(({ key }) => key)).toEqual([
      'execution.checkpointing.local-backup.enabled',
      'execution.state-recovery.from-local',
    ])
  })

  it('knows each key that it names', () => {
    expect(knownKeys().filter((key) => lookUp(key) === undefined)).toEqual([])
  })

  it('says so of keys that something else decides', () => {
    const known = lookUp('kubernetes.cluster-id')
    expect(known?.kind === 'without effect' && known.entry.warn).toBe(true)
  })
})
