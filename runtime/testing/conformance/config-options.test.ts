/**
 * Holds the catalogue of configuration keys to config-options.json: each key is known, older keys mean the newest, and types, words and defaults agree but for the differences that are listed
 * here with their reasons. Every list is closed in both directions: what is no difference any more has to leave it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Known, lookUp } from '../../config/catalogue.ts'
import { loadConfiguration } from '../../config/load.ts'
import type { Option } from '../../config/option.ts'
import { PENDING } from '../../config/pending.ts'
import { conformanceDirectory } from './load.ts'

interface Documented {
  key: string
  default: string | null
  type: string
  values?: string[]
  deprecated?: string[]
  fallback?: string[]
}

const FILE = 'config-options.json'

/** Without data: undefined and a line that says so, or an error where data is required. */
function load():
  | { all: Documented[]; undocumented: Record<string, Pick<Documented, 'deprecated' | 'fallback'>> }
  | undefined {
  const path = `${conformanceDirectory()}/${FILE}`
  if (existsSync(path)) {
    const { options, operatorOptions, undocumented } = JSON.parse(readFileSync(path, 'utf8'))
    return { all: [...options, ...operatorOptions], undocumented }
  }
  const text = `conformance ${FILE}: no data at ${path}; set TAILRACE_CONFORMANCE to its directory`
  if (process.env.TAILRACE_REQUIRE_ALL === '1') throw new Error(text)
  console.log(`${text} (skipped)`)
  return undefined
}

/** Types of ours that read what a documented type has. */
const TYPES: Record<string, string[]> = {
  Duration: ['duration'],
  MemorySize: ['memory size'],
  Integer: ['integer'],
  Long: ['integer'],
  Double: ['number'],
  Float: ['number'],
  Boolean: ['boolean'],
  String: ['text'],
  Enum: ['enum'],
  Map: ['map'],
  'List<String>': ['list'],
}

const RANGE = 'a range of ports does, too'
const WORDS = 'a few words are all that it may be'

const OTHER_TYPES: Record<string, string> = {
  'high-availability.jobmanager.port': RANGE,
  'high-availability.type': WORDS,
  'jobmanager.rpc.bind-port': RANGE,
  'kubernetes.operator.health.probe.port': RANGE,
  'pekko.framesize': 'a size as any other; `10485760b` is one',
  'rest.bind-port': RANGE,
  'rest.port': RANGE,
  'rest.server.max-content-length': 'a size; a bare number is bytes as before',
  'restart-strategy.type': WORDS,
  'security.ssl.internal.keystore-type': WORDS,
  'security.ssl.internal.truststore-type': WORDS,
  'security.ssl.protocol': WORDS,
  'taskmanager.data.bind-port': RANGE,
  'taskmanager.data.port': RANGE,
  'taskmanager.network.bind-policy': WORDS,
}

const OTHER_WORDS: Record<string, string> = {
  'jobmanager.scheduler AdaptiveBatch': 'jobs run as streams',
  'taskmanager.network.compression.codec LZO': 'no codec of it',
  'taskmanager.network.compression.codec ZSTD': 'no codec of it',
}

const SOONER = 'failures are noticed and mended within seconds'
const FAST = 'a change of the parallelism takes less than a second'
const SAID = 'Flink says nothing, and takes the same'

const OTHER_DEFAULTS: Record<string, string> = {
  'cluster.registration.error-delay': SOONER,
  'cluster.registration.refused-registration-delay': SOONER,
  'completed-application-store.max-capacity': 'they are kept in memory, so there is a bound',
  'execution.buffer-timeout.interval': 'latency; batches are small',
  'execution.checkpointing.local-backup.enabled': 'on where the store is far away',
  'execution.state-recovery.from-local': 'what is kept is for that',
  'heartbeat.interval': SOONER,
  'heartbeat.timeout': SOONER,
  'high-availability.cluster-id': 'a name, and not a path of ZooKeeper',
  'high-availability.jobmanager.port': 'the port of RPC is the same with and without high availability',
  'high-availability.kubernetes.leader-election.lease-duration': SOONER,
  'high-availability.kubernetes.leader-election.renew-deadline': SOONER,
  'high-availability.kubernetes.leader-election.retry-period': SOONER,
  'io.tmp.dirs': 'that of the system, without a text for it',
  'jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling': FAST,
  'jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout': FAST,
  'jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout': FAST,
  'jobmanager.adaptive-scheduler.submission.resource-wait-timeout': 'as slot.request.timeout, without a text for it',
  'jobmanager.bind-host': SAID,
  'jobmanager.rpc.address': 'a cluster on one machine needs no configuration',
  'kubernetes.operator.leader-election.enabled': 'two operators are safe without a setting',
  'kubernetes.operator.leader-election.lease-name': 'a name that the chart knows',
  'kubernetes.operator.reconcile.interval': 'changes are told at once; this is for what nobody tells',
  'kubernetes.operator.reconcile.parallelism': 'none of them waits in a thread',
  'kubernetes.operator.watched.namespaces': 'all are watched without a word for it, which is taken too',
  'parallelism.default': 'as many as there are slots',
  'pekko.framesize': 'state of a subtask up to 20 KB goes with its acknowledgement, and plans are in messages',
  'pipeline.name': SAID,
  'process.working-dir': 'as io.tmp.dirs, without a text for it',
  'rest.address': 'a cluster on one machine needs no configuration',
  'rest.bind-address': 'nobody outside of the machine may reach what asks for no password',
  'rest.bind-port': 'several clusters on one machine take the next port',
  'security.ssl.algorithms': 'those of Node.js, which are newer',
  'security.ssl.internal.keystore-type': 'told by the name of the file',
  'security.ssl.internal.truststore-type': 'told by the name of the file',
  'task.cancellation.timeout': 'a thread is replaced, and not the process',
  'taskmanager.bind-host': SAID,
  'taskmanager.network.compression.codec':
    'Flink compresses batch exchanges only; records of streams travel as they are',
  'taskmanager.numberOfTaskSlots': 'as many as the parallelism asks for',
  'user.artifacts.base-dir': 'in the working directory, without a text for it',
  'web.adaptive-scheduler.rescale-history.size': 'they are few, and small',
}

const data = load()

describe.skipIf(data === undefined)('conformance: configuration keys', () => {
  const all = data?.all ?? []
  /** As an author would write it: documented defaults stand in quotes when they are texts. */
  const written = (text: string) => text.replaceAll('";"', ';').replace(/^"|"$/g, '')
  const optionOf = (key: string): Option<unknown> | undefined => {
    const known = lookUp(key)
    return known?.kind === 'option' ? known.options.find((option) => option.key === key) : undefined
  }
  const olderOf = (one: Pick<Documented, 'deprecated' | 'fallback'>) => [
    ...(one.deprecated ?? []),
    ...(one.fallback ?? []),
  ]

  it('knows every key and every older one', () => {
    const keys = all.flatMap((one) => [one.key, ...olderOf(one)])
    const more = Object.entries(data!.undocumented).flatMap(([key, one]) => [key, ...olderOf(one)])
    expect([...keys, ...more].filter((key) => lookUp(key) === undefined)).toEqual([])
    const count: Record<string, number> = { supported: 0, pending: 0 }
    for (const { key } of all) {
      const kind = lookUp(key)!.kind
      const name = kind !== 'option' ? kind : PENDING.has(key) ? 'pending' : 'supported'
      count[name] = (count[name] ?? 0) + 1
    }
    console.log(
      `${FILE}: ${all.length}/${all.length} known; ${Object.entries(count)
        .map(([name, n]) => `${name} ${n}`)
        .join(', ')}`,
    )
  })

  it('takes each older key for its newest one', () => {
    const other: string[] = []
    for (const one of all) {
      for (const name of olderOf(one)) {
        const [newest, older] = [lookUp(one.key)!, lookUp(name)!]
        if (!sameMeaning(one.key, newest, name, older)) other.push(`${name} for ${one.key}`)
      }
    }
    expect(other).toEqual([])
  })

  it('has their types', () => {
    const other = all.filter(({ key, type }) => {
      const option = optionOf(key)
      return option !== undefined && !TYPES[type]?.includes(option.type.name)
    })
    expect(other.map(({ key }) => key).toSorted()).toEqual(Object.keys(OTHER_TYPES))
  })

  it('has the words of their enums', () => {
    const other = all.flatMap(({ key, values = [] }) => {
      const option = optionOf(key)
      return option === undefined
        ? []
        : values.filter((word) => parsed(option, word) === undefined).map((word) => `${key} ${word}`)
    })
    expect(other.toSorted()).toEqual(Object.keys(OTHER_WORDS))
  })

  it('has their defaults', () => {
    const other = all.filter((one) => {
      const option = optionOf(one.key)
      if (option === undefined) return false
      const theirs = one.default === null ? undefined : (parsed(option, written(one.default)) ?? one.default)
      const ours = option.standard === undefined ? undefined : option.type.parse(option.standard)
      return JSON.stringify(theirs) !== JSON.stringify(ours)
    })
    expect(other.map(({ key }) => key).toSorted()).toEqual(Object.keys(OTHER_DEFAULTS))
  })

  it('loads each with its default, which comes out as it went in', async () => {
    const isText = (text: string) => !/System\.getProperty|JVM default|actually running|LOCAL_DIRS/.test(text)
    const properties: Record<string, string> = {}
    for (const { key, default: standard } of all) {
      if (standard !== null && isText(standard))
        properties[key.replace(/<[^>]+>/g, 'x').replace('#', '0')] = written(standard)
    }
    expect(Object.keys(properties).length).toBeGreaterThan(500)
    const { values, notes } = await loadConfiguration({
      file: undefined,
      directory: undefined,
      properties,
      cwd: '/nowhere',
    })
    expect(values).toEqual(properties)
    expect(notes.filter(({ text }) => text.includes('is not known'))).toEqual([])
  })
})

function parsed(option: Option<unknown>, text: string): unknown {
  try {
    return option.type.parse(text)
  } catch {
    return undefined
  }
}

function sameMeaning(key: string, newest: Known, name: string, older: Known): boolean {
  if (newest.kind === 'option') {
    const option = newest.options.find((one) => one.key === key)!
    return option.older.includes(name) || option.fallback.includes(name)
  }
  // Neither has an effect, whatever the words for it.
  return newest.kind === older.kind
}
