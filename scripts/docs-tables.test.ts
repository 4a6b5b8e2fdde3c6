/**
 * Pages of docs/ that repeat a table of the sources are held equal to it, in both directions.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT } from '../runtime/cli/exit-codes.ts'
import { OPTIONS } from '../runtime/config/options.ts'
import { PENDING } from '../runtime/config/pending.ts'
import { systemClock } from '../runtime/core/clock.ts'
import { ERRORS } from '../runtime/core/errors.ts'
import { allSamples } from '../runtime/metrics/cluster-samples.ts'
import { OPERATOR_METRICS, TASK_METRICS } from '../runtime/metrics/page.ts'
import { MetricsReader } from '../runtime/metrics/reader.ts'
import { COMMITTER_METRICS } from '../runtime/operators/commit-metrics.ts'
import { UNREAD_SIDE_OUTPUT } from '../runtime/operators/side-outputs.ts'
import { INPUT_WATERMARKS } from '../runtime/operators/two-input.ts'
import type { RestContext } from '../runtime/rest/common.ts'
import { createApp } from '../runtime/rest/server.ts'
import { MiniCluster } from '../runtime/testing/index.ts'
import { withOptionTables } from './config-options.ts'
import { withTables } from './kafka-properties.ts'

const root = dirname(import.meta.dirname)
const read = (path: string) => readFileSync(join(root, path), 'utf8')
/** The part of a page under a heading. */
const under = (path: string, heading: string) => read(path).split(`\n## ${heading}\n`)[1].split('\n## ')[0]
const codes = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code)
/** First cells of the rows of all tables. */
const firstCells = (text: string) => [...text.matchAll(/^\|([^|]*)\|/gm)].map(([, cell]) => cell)

test('docs/errors.md has a section for each code, with what the table of errors says', () => {
  const sections = read('docs/errors.md')
    .split('\n## ')
    .slice(1)
    .map((section) => {
      const [code, text, who, ...advice] = section.split('\n\n')
      return { code, text, who, advised: advice.join('').trim().length > 20 }
    })
  expect(sections).toEqual(
    Object.entries(ERRORS).map(([code, { domain, retry, text }]) => ({
      code,
      text,
      who: `\`${domain}\` · retry ${retry ? 'can help' : 'does not help'}`,
      advised: true,
    })),
  )
})

test('docs/rest.md lists the paths that are served', async () => {
  const app = createApp({ cluster: {}, metrics: {}, configuration: {} } as unknown as RestContext)
  await app.ready()
  const parents: string[] = []
  const served = new Set(['GET /'])
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    // With a page built there is a route `/`, and what is below it is printed without its slash.
    const [, indent, part, methods] = /^([│ ]*)[├└]── (\S+) \(([^)]+)\)/.exec(line) ?? []
    // `*` are the page's files.
    if (part === undefined || part === '*') continue
    const depth = indent.length / 4
    parents[depth] = ((parents[depth - 1] ?? '') + part).replaceAll('//', '/')
    for (const method of methods.split(', ')) if (method !== 'HEAD') served.add(`${method} ${parents[depth]}`)
  }
  expect(served.size).toBeGreaterThan(20)
  const listed = firstCells(read('docs/rest.md')).flatMap(codes)
  expect(listed.toSorted()).toEqual([...served].toSorted())
})

/** The names of the metrics of a job that runs, as in docs/metrics.md: a collector's own name is `<name>`. */
async function measuredNames(): Promise<Set<string>> {
  const cluster = await MiniCluster.start({ slots: 2 })
  const stop = new AbortController()
  const names = new Set<string>()
  const metrics = new MetricsReader(cluster.view, systemClock)
  const job = cluster.runProgram(
    async (env) => {
      env.fromSequence(1, Number.MAX_SAFE_INTEGER).rebalance().print()
      await env.execute()
    },
    { signal: stop.signal, options: { 'parallelism.default': '2' }, onJob: () => void look() },
  )
  async function look(): Promise<void> {
    metrics.start()
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      const samples = [...allSamples(metrics, 'here')].filter(({ name }) => !/Shuffle\.Netty|^buffers\./.test(name))
      if (!samples.some(({ name }) => name === 'numRecordsSend')) continue
      for (const { name } of samples) names.add(name.replace(/(GarbageCollector)\.\w+/, '$1.<name>'))
      break
    }
    stop.abort()
  }
  await job.catch(() => {})
  metrics.stop()
  await cluster.stop()
  return names
}

/** `a.{b,c}` is `a.b` and `a.c`. */
function expand(name: string): string[] {
  const match = /^(.*?)\{([^}]*)\}(.*)$/.exec(name)
  if (match === null) return [name]
  return match[2].split(',').flatMap((part) => expand(match[1] + part + match[3]))
}

test('docs/metrics.md names the metrics that there are', async () => {
  const measured = await measuredNames()
  const page = read('docs/metrics.md')
  const named = new Set(codes(page).flatMap(expand))
  const statuses = ['initializing', 'created', 'running', 'restarting', 'failing', 'cancelling', 'deploying']
  for (const status of statuses) for (const what of ['State', 'Time', 'TimeTotal']) named.add(status + what)
  const metered = [...page.matchAll(/`(\w+)` ∆/g)].map(([, name]) => `${name}PerSecond`)
  const short = (name: string) =>
    name.replace(/(Local|Remote)(PerSecond)?$/, 'Local').replace(/(Open|Max)\.Count$/, '$1')
  const aliases = new Set(['numRecordsOutErrors'])
  const missing = [...measured].filter(
    (name) => !named.has(short(name)) && !metered.includes(name) && !aliases.has(name),
  )
  expect(missing).toEqual([])

  const real = new Set([
    ...measured,
    ...TASK_METRICS,
    ...OPERATOR_METRICS,
    ...INPUT_WATERMARKS,
    ...COMMITTER_METRICS,
    UNREAD_SIDE_OUTPUT,
  ])
  const listed = ['Tasks', 'Operators'].flatMap((part) => firstCells(under('docs/metrics.md', part)).flatMap(codes))
  expect(listed.filter((name) => !real.has(name))).toEqual([])
  expect(metered.filter((name) => !measured.has(name))).toEqual([])
})

test('docs/connectors/kafka.md has the properties that are read (node scripts/kafka-properties.ts writes them)', () => {
  const page = read('docs/connectors/kafka.md')
  expect(page).toBe(withTables(page))
})

test.each([
  ['Options of the source', ['source/kafka-source.ts']],
  ['Options of the sink', ['sink/kafka-sink.ts', 'sink/serializer.ts']],
])('docs/connectors/kafka.md, %s: those of the types', (heading, files) => {
  const section = read('docs/connectors/kafka.md')
    .split(`\n### ${heading}\n`)[1]
    .split('\n\n| `partitioner`')[0]
    .split('\n#')[0]
  const listed = firstCells(section).flatMap(codes)
  const types = files.flatMap((file) => [
    ...read(`runtime/connectors/kafka/${file}`).matchAll(/^export interface \w+Options[^\n]*\{\n(.*?)^\}/gms),
  ])
  const declared = types.flatMap(([, body]) => [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name))
  expect(declared.length).toBeGreaterThan(8)
  expect(listed.toSorted()).toEqual([...new Set(declared)].toSorted())
})

test('docs/configuration.md has the tables of the catalogue', () => {
  const page = read('docs/configuration.md')
  expect(page).toBe(withOptionTables(page))
})

test('the guide names configuration keys that have an effect', () => {
  const listed = firstCells(under('docs/guide.md', 'Configuration')).flatMap(codes)
  expect(listed.length).toBeGreaterThan(3)
  const known = OPTIONS.map(({ key }) => key).filter((key) => !PENDING.has(key))
  expect(listed.filter((key) => !known.includes(key))).toEqual([])
})

test('the guide lists the exit codes', () => {
  const listed = firstCells(under('docs/guide.md', 'The command'))
    .map((cell) => cell.trim())
    .filter((cell) => /^\d+$/.test(cell))
  expect(listed.map(Number)).toEqual(Object.values(EXIT))
})
