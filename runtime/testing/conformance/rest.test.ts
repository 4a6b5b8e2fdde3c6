/**
 * Every path of rest-v1.json that is served answers with the documented status, properties, types and enums; paths of parts that
 * are not built yet are left out, and must not answer.
 */
import { expect, test } from 'vitest'
import { dataGenSource } from '../../connectors/datagen/index.ts'
import { systemClock } from '../../core/clock.ts'
import { WatermarkStrategy } from '../../core/watermarks.ts'
import { embeddedTaskManagerId } from '../../metrics/cluster-samples.ts'
import { FakeCluster, VERTEX } from '../../rest/fake-cluster.suite.ts'
import { startRest } from '../../rest/server.ts'
import type { Cluster } from '../../rpc/views.ts'
import { MiniCluster } from '../mini-cluster.ts'
import { type ConformanceCase, loadCases, runCases, Skip } from './load.ts'

interface Schema {
  ref?: string
  type?: string
  enum?: string[]
  pattern?: string
  properties?: Record<string, Schema>
  values?: Schema
  items?: Schema
}
interface Contract {
  paths: Record<string, Record<string, { responses: Record<string, Record<string, Schema>> }>>
  schemas: Record<string, Schema>
}

/** Paths of parts that are still to come: checkpoints, savepoints, artifacts, rescaling, logs, profiles, applications. */
const LATER =
  /^\/(applications|cluster|datasets|jars|savepoint-disposal)|\/(checkpoints|savepoints|stop|rescal\w+|resource-requirements|flamegraph|thread-dump|logs|log-url|execution-result|clientHeartbeat|jm-operator-metrics)(\/|$)|subtasks\/accumulators$|attempt\}\/accumulators$|vertexid\}\/accumulators$|\{jobid\}\/jobmanager\/|config$(?<=checkpoints\/config)/

const file = loadCases('rest-v1.json') as (Contract & { header: object }) | undefined

test.skipIf(file === undefined)('REST answers as its contract says, of a job with everything that can be', async () => {
  const cluster = new FakeCluster(systemClock)
  const job = cluster.submit()
  job.accumulators.seen = 3
  job.exceptions.push({
    timestamp: 1,
    error: { code: 'TR-TASK-001', message: 'no such airport', stack: 'Error: no such airport' },
    taskName: 'parse (1/2)',
    labels: { type: 'USER' },
    concurrent: [],
  })
  job.exceptions.push({ ...job.exceptions[0]!, concurrent: [job.exceptions[0]!] })
  await conform('rest-v1.json', cluster, job.id, VERTEX.source)
})

test.skipIf(file === undefined)('REST answers as its contract says, of a running job', async () => {
  const cluster = await MiniCluster.start({ slots: 2, host: 'inline' })
  try {
    const started = Promise.withResolvers<string>()
    const ended = cluster
      .runProgram(
        async (env) => {
          env.setParallelism(2)
          const source = dataGenSource({ generate: (i) => i, recordsPerSecond: 100 })
          env
            .fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers')
            .keyBy((n) => n % 3)
            .reduce((a, b) => a + b)
            .print()
          await env.execute('sums')
        },
        { onJob: started.resolve },
      )
      .catch((error: Error) => error)
    const jobId = await started.promise
    while (cluster.job(jobId)?.status !== 'RUNNING') await new Promise(setImmediate)
    await conform('rest-v1.json, running', cluster.view, jobId, cluster.job(jobId)!.vertices[0]!.id)
    expect(String(await ended)).toMatch(/cancel/)
  } finally {
    await cluster.stop()
  }
})

/** Calls every path; cancels the job in doing so. */
async function conform(title: string, cluster: Cluster, jobId: string, vertexId: string): Promise<void> {
  const rest = await startRest({ dispatcher: cluster, port: 0, configuration: { 'rest.port': '0' } })
  const ids: Record<string, string> = {
    jobid: jobId,
    vertexid: vertexId,
    subtaskindex: '1',
    attempt: '0',
    taskmanagerid: embeddedTaskManagerId(cluster.cluster().startTime),
  }
  const call = async (method: string, path: string) => {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '0'.repeat(32))
    const response = await fetch(`${rest.url}/v1${filled}${query(path)}`, { method })
    return { status: response.status, body: await response.json() }
  }
  try {
    const cases: ConformanceCase[] = Object.entries(file!.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ id: `${method} ${path}`, path, method })),
    )
    // The job is running for all but the last.
    cases.sort((a, b) => Number(a.method === 'PATCH') - Number(b.method === 'PATCH'))
    const outcomes = await runCases(title, cases, async ({ path, method }) => {
      const { status, body } = await call(method, path)
      if (LATER.test(path) || (method !== 'GET' && path !== '/jobs/{jobid}')) {
        expect(status, 'a path on the list of what is left out').toBeGreaterThanOrEqual(400)
        throw new Skip('path-not-served')
      }
      const { responses } = file!.paths[path]![method]!
      expect(Object.keys(responses)).toContain(String(status))
      const schema = Object.values(responses[String(status)]!)[0]
      if (schema !== undefined) expect(problems(body, schema, '')).toEqual([])
    })
    expect([...outcomes].filter(([, { status }]) => status === 'fail').map(([id]) => id)).toEqual([])
  } finally {
    await rest.close()
  }
}

/** Asks for values where the answer would have ids alone. */
function query(path: string): string {
  if (path === '/jobs/{jobid}') return '?mode=cancel'
  if (path === '/jobs/metrics' || path === '/jobs/{jobid}/metrics') return '?get=uptime'
  if (path.startsWith('/taskmanagers/') || path.startsWith('/jobmanager/')) return '?get=Status.JVM.Memory.Heap.Used'
  return /vertexid\}\/metrics$/.test(path)
    ? '?get=0.numRecordsOut'
    : path.endsWith('/metrics')
      ? '?get=numRecordsOut'
      : ''
}

/** Where a value departs from a schema. Further properties are allowed, missing ones are not. */
function problems(value: any, schema: Schema, at: string, depth = 0): string[] {
  const resolved = schema.ref === undefined ? schema : file!.schemas[schema.ref]!
  const { type = '', enum: words, pattern, properties, values, items } = resolved
  if (depth > 20) return []
  if (words !== undefined && !words.includes(value)) return [`${at}: ${value} is none of ${words.join(', ')}`]
  if (type === 'array') {
    if (!Array.isArray(value)) return [`${at}: no array`]
    return value.flatMap((one, i) => problems(one, items!, `${at}[${i}]`, depth + 1))
  }
  if (type === 'object') {
    if (typeof value !== 'object' || value === null) return [`${at}: no object`]
    const own = Object.entries(properties ?? {}).flatMap(([name, one]) =>
      name in value ? problems(value[name], one, `${at}.${name}`, depth + 1) : [`${at}.${name}: missing`],
    )
    const rest = values === undefined ? [] : Object.entries(value).filter(([name]) => !(name in (properties ?? {})))
    return [...own, ...rest.flatMap(([name, one]) => problems(one, values!, `${at}.${name}`, depth + 1))]
  }
  const [kind, format] = type.split(':')
  if (kind === 'integer' && !Number.isInteger(value)) return [`${at}: ${value} is no integer`]
  if (kind === 'integer' && format === 'int32' && Math.abs(value) > 2 ** 31) return [`${at}: ${value} is no int32`]
  if (kind === 'number' && typeof value !== 'number') return [`${at}: ${value} is no number`]
  if (kind === 'boolean' && typeof value !== 'boolean') return [`${at}: ${value} is no boolean`]
  if (kind === 'string' && typeof value !== 'string') return [`${at}: ${value} is no string`]
  if (pattern !== undefined && !new RegExp(`^${pattern}$`).test(value)) return [`${at}: ${value} is not ${pattern}`]
  return []
}
