/**
 * Every path of rest-v1.json that is served answers with the documented status, properties, types and enums; paths that
 * have no counterpart are on a list that says why, and must not answer.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { artifactSettings } from '../../artifacts/settings.ts'
import { Uploads } from '../../artifacts/uploads.ts'
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
  /** All of them hold. */
  allOf?: Schema[]
  /** By a property whose value names the schema. */
  discriminator?: { propertyName: string; mapping: Record<string, string> }
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

/** Paths that have no counterpart, and why. */
const UNSERVED: readonly (readonly [path: RegExp, why: string])[] = [
  [
    /^\/applications|\/run-application$/,
    'a program is no resource of its own: its jobs are, and /jars/:id/run runs it',
  ],
  [/^\/datasets\/./, 'no data set outlives its job'],
  [/\/flamegraph$/, 'a thread is sampled by a debugger only, which slows a slot down while it is attached'],
  [/\/clientHeartbeat$/, 'a job does not end with the client that submitted it'],
]

/** Flink answers null where there is none of it. */
const NULLS =
  /^\.latest\.\w+$|\.savepointFormat$|\.(end|leave)TimestampInMillis$|\.term\w+$|\.(pre|post)Rescale\w+$|\.stringifiedException$|^\.schedulerExecutionMode$|^\.job-execution-result$|\.serializedThrowable$|^\.operation$/

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
  job.checkpoint(1)
  job.statistics.completed(1, { path: '/ckp/chk-1', metadataBytes: 1 })
  job.checkpoint(2, { type: 'SAVEPOINT' })
  job.statistics.completed(2, { path: '/ckp/savepoint-2', metadataBytes: 1 })
  job.checkpoint(3, { count: 1 })
  job.statistics.failed(3, 'disk full')
  job.checkpoint(4, { count: 1 })
  job.statistics.restored(1, 'checkpoint', '/ckp/chk-1')
  const bounds = Object.fromEntries(job.plan.vertices.map(({ id }) => [id, { lowerBound: 1, upperBound: 2 }]))
  job.rescales.begin('INITIAL_SCHEDULE', job.plan, bounds, 1)
  job.rescales.entered('executing', 2)
  job.rescales.runs(Object.fromEntries(job.plan.vertices.map(({ id, parallelism }) => [id, parallelism])), 3)
  for (const cause of ['UPDATE_REQUIREMENT', 'RECOVERABLE_FAILOVER'] as const)
    job.rescales.begin(cause, job.plan, bounds, 4)
  job.rescales.entered('restarting', 5, 'no such airport')
  cluster.setRequirements(job.id, bounds)
  cluster.onTriggered = () => cluster.finish()
  await conform('rest-v1.json', { cluster, jobId: job.id, vertexId: VERTEX.window, stoppedJobId: job.id })
})

test.skipIf(file === undefined)('REST answers as its contract says, of a running job', async () => {
  const cluster = await MiniCluster.start({ slots: 4, host: 'inline' })
  try {
    const begin = async (name: string): Promise<[jobId: string, ended: Promise<unknown>]> => {
      const begun = Promise.withResolvers<string>()
      const ended = cluster.runProgram(
        async (env) => {
          env.setParallelism(2)
          const source = dataGenSource({ generate: (i) => i, recordsPerSecond: 100 })
          env
            .fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers')
            .keyBy((n) => n % 3)
            .reduce((a, b) => a + b)
            .print()
          await env.execute(name)
        },
        { onJob: begun.resolve },
      )
      return [await begun.promise, ended.catch((error: Error) => error)]
    }
    const [jobId, cancelled] = await begin('sums')
    const [stoppedJobId, stopped] = await begin('more sums')
    const runs = (jobId: string) => cluster.job(jobId)!.vertices.every(({ state }) => state === 'RUNNING')
    while (![jobId, stoppedJobId].every(runs)) await new Promise(setImmediate)
    const vertexId = cluster.job(jobId)!.vertices[0]!.id
    await conform('rest-v1.json, running', { cluster: cluster.view, jobId, vertexId, stoppedJobId })
    await Promise.all([cancelled, stopped])
    expect(cluster.view.list().map(({ status }) => status)).toEqual(['FINISHED', 'CANCELED'])
  } finally {
    await cluster.stop()
  }
})

interface Shown {
  cluster: Cluster
  jobId: string
  vertexId: string
  /** Of another job, or of one that stops by nothing. */
  stoppedJobId: string
}

/** Calls every path; cancels the job in doing so, and stops the other one. */
async function conform(title: string, { cluster, jobId, vertexId, stoppedJobId }: Shown): Promise<void> {
  const savepoints = mkdtempSync(join(tmpdir(), 'tailrace-savepoints-'))
  const uploads = new Uploads({
    settings: artifactSettings({ 'user.artifacts.base-dir': join(savepoints, 'artifacts') }),
  })
  const submissions = { uploads, plan: async () => cluster.view(jobId)!.plan, run: async () => jobId }
  let ended = false
  const rest = await startRest({
    dispatcher: cluster,
    port: 0,
    configuration: { 'rest.port': '0' },
    submissions,
    shutdown: () => {
      ended = true
    },
  })
  const ids: Record<string, string> = {
    jobid: jobId,
    vertexid: vertexId,
    subtaskindex: '1',
    attempt: '0',
    taskmanagerid: embeddedTaskManagerId(cluster.cluster().startTime),
    triggerid: '1'.repeat(32),
  }
  const { triggerid: triggerId } = ids
  /** What is sent where something is begun. */
  const requests: Record<string, object> = {
    '/jobs/{jobid}/checkpoints': { checkpointType: 'FULL', triggerId },
    '/jobs/{jobid}/savepoints': { 'target-directory': savepoints, formatType: 'NATIVE', triggerId },
    '/jobs/{jobid}/stop': { targetDirectory: savepoints, drain: false },
    '/savepoint-disposal': { 'savepoint-path': `${savepoints}/none`, triggerId },
    '/jobs/{jobid}/resource-requirements': Object.fromEntries(
      Object.entries(cluster.requirements(jobId) ?? {}).map(([id, parallelism]) => [id, { parallelism }]),
    ),
    '/jars/upload': {},
    '/jars/{jarid}/plan': { programArgsList: ['--input', 'data'] },
    '/jars/{jarid}/run': { entryClass: null, parallelism: 2, claimMode: 'CLAIM', flinkConfiguration: { a: 'b' } },
  }
  const form = new FormData()
  form.append('jarfile', new File(['export default async () => {}'], 'job.mjs'))
  const call = async (method: string, path: string) => {
    const jobid = path.endsWith('/stop') ? stoppedJobId : jobId
    if (path.includes('{rescaleuuid}')) ids.rescaleuuid ??= cluster.rescales(jobId)!.rescales[0]!.id
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => ({ ...ids, jobid })[name] ?? '0'.repeat(32))
    const json = { body: JSON.stringify(requests[path]), headers: { 'content-type': 'application/json' } }
    const response = await fetch(`${rest.url}/v1${filled}${query(path)}`, {
      method,
      ...(path === '/jars/upload' ? { body: form } : method === 'POST' || method === 'PUT' ? json : {}),
    })
    const body: any = await response.json()
    if (path === '/jars/upload') ids.jarid = basename(body.filename)
    return { status: response.status, body }
  }
  const isServed = (path: string) => !UNSERVED.some(([unserved]) => unserved.test(path))
  try {
    const cases: ConformanceCase[] = Object.entries(file!.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ id: `${method} ${path}`, path, method })),
    )
    // What is begun can be asked about, and the job is running for all but the last.
    const order = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE']
    const place = ({ method, path }: ConformanceCase) =>
      path.endsWith('/rescaling') ? 0 : order.indexOf(method as string)
    cases.sort((a, b) => place(a) - place(b))
    const outcomes = await runCases(title, cases, async ({ path, method }) => {
      if (path.includes('{checkpointid}')) ids.checkpointid ??= await completedCheckpoint(call)
      const { status, body } = await call(method, path)
      if (!isServed(path)) {
        expect(status, 'a path on the list of what is left out').toBeGreaterThanOrEqual(400)
        throw new Skip('path-not-served')
      }
      const { responses } = file!.paths[path]![method]!
      expect(Object.keys(responses)).toContain(String(status))
      const schema = Object.values(responses[String(status)]!)[0]
      if (schema !== undefined) expect(problems(body, schema, '')).toEqual([])
    })
    expect([...outcomes].filter(([, { status }]) => status === 'fail').map(([id]) => id)).toEqual([])
    expect(ended, 'DELETE /cluster').toBe(true)
  } finally {
    await rest.close()
    await uploads.close()
    rmSync(savepoints, { recursive: true })
  }
}

/** The id of the one that was asked for, once it is there. */
async function completedCheckpoint(call: (method: string, path: string) => Promise<{ body: any }>): Promise<string> {
  for (;;) {
    const { status, operation } = (await call('GET', '/jobs/{jobid}/checkpoints/{triggerid}')).body
    if (status.id === 'IN_PROGRESS') continue
    expect(operation.failureCause).toBeUndefined()
    const { latest } = (await call('GET', '/jobs/{jobid}/checkpoints')).body
    return String(latest.completed.id)
  }
}

/** Asks for values where the answer would have ids alone. */
function query(path: string): string {
  if (path === '/jobs/{jobid}') return '?mode=cancel'
  if (path.endsWith('/rescaling')) return `?parallelism=2&triggerId=${'1'.repeat(32)}`
  if (path === '/jobs/metrics' || path === '/jobs/{jobid}/metrics') return '?get=uptime'
  if (path.startsWith('/taskmanagers/') || path.startsWith('/jobmanager/')) return '?get=Status.JVM.Memory.Heap.Used'
  return /vertexid\}\/metrics$/.test(path)
    ? '?get=0.numRecordsOut'
    : path.endsWith('/metrics')
      ? '?get=numRecordsOut'
      : ''
}

/** Where a value departs from a schema. Further properties are allowed, missing ones are not. */
function problems(value: any, schema: Schema, at: string, depth = 0, isPart = false): string[] {
  const resolved = schema.ref === undefined ? schema : file!.schemas[schema.ref]!
  const { type = '', enum: words, pattern, properties, values, items, allOf, discriminator } = resolved
  if (value === null && NULLS.test(at)) return []
  if (discriminator !== undefined && !isPart && value !== null) {
    const named = discriminator.mapping[value[discriminator.propertyName]]
    if (named === undefined) return [`${at}: no known ${discriminator.propertyName}`]
    return problems(value, { ref: named.split('/').at(-1)! }, at, depth + 1)
  }
  if (allOf !== undefined) return allOf.flatMap((one) => problems(value, one, at, depth + 1, true))
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
