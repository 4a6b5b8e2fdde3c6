/** What REST tells of a job's checkpoints. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { MetricsReader } from '../metrics/reader.ts'
import { FakeCluster, type FakeJob, hexId, START_MS, VERTEX } from './fake-cluster.suite.ts'
import { type RestServer, startRest } from './server.ts'

let clock: ManualClock
let cluster: FakeCluster
let job: FakeJob
let rest: RestServer

beforeEach(async () => {
  clock = new ManualClock(START_MS)
  cluster = new FakeCluster(clock)
  job = cluster.submit()
  rest = await startRest({ dispatcher: cluster, metrics: new MetricsReader(cluster, clock), clock, port: 0 })
})
afterEach(() => rest.close())

async function get(path: string): Promise<{ status: number; body: any }> {
  const response = await fetch(`${rest.url}/jobs/${job.id}/checkpoints${path}`)
  return { status: response.status, body: await response.json() }
}

function takeSome(): void {
  job.checkpoint(1)
  clock.advance(40)
  job.statistics.completed(1, { path: '/ckp/chk-1/_metadata', metadataBytes: 512 })
  job.checkpoint(2, { count: 1 })
  clock.advance(10)
  job.statistics.failed(2, 'disk full')
  job.checkpoint(3, { type: 'SAVEPOINT' })
  clock.advance(60)
  job.statistics.completed(3, { path: 's3://bucket/savepoint-1/_metadata', metadataBytes: 700 })
  job.statistics.restored(1, 'checkpoint', '/ckp/chk-1/_metadata')
  job.checkpoint(4, { count: 2 })
  clock.advance(5)
}

const SUMMARY = { min: 40, max: 60, avg: 50, p50: 40, p90: 60, p95: 60, p99: 60, p999: 60 }
const ZEROS = { min: 0, max: 0, avg: 0, p50: 0, p90: 0, p95: 0, p99: 0, p999: 0 }

describe('GET /jobs/:jobid/checkpoints', () => {
  it('has counts, sums, the last of each kind and the history, the newest first', async () => {
    takeSome()
    const { counts, summary, latest, history } = (await get('')).body
    expect(counts).toEqual({ restored: 1, total: 4, in_progress: 1, completed: 2, failed: 1 })
    expect(summary.end_to_end_duration).toEqual(SUMMARY)
    expect(summary.state_size).toMatchObject({ min: 6000, max: 6000, avg: 6000, p99: 6000 })
    expect(summary.checkpointed_size).toMatchObject({ avg: 600 })
    expect(summary.persisted_data).toEqual(ZEROS)
    expect(history.map(({ id, className }: any) => [id, className])).toEqual([
      [4, 'in_progress'],
      [3, 'completed'],
      [2, 'failed'],
      [1, 'completed'],
    ])
    expect(latest.completed).toEqual({
      className: 'completed',
      id: 1,
      status: 'COMPLETED',
      is_savepoint: false,
      savepointFormat: null,
      checkpoint_type: 'CHECKPOINT',
      trigger_timestamp: START_MS,
      latest_ack_timestamp: START_MS,
      end_to_end_duration: 40,
      state_size: 6000,
      checkpointed_size: 600,
      alignment_buffered: 0,
      processed_data: 0,
      persisted_data: 0,
      num_subtasks: 6,
      num_acknowledged_subtasks: 6,
      tasks: {},
      external_path: '/ckp/chk-1',
      discarded: false,
      metadata_size: 512,
    })
    expect(latest.savepoint).toMatchObject({
      id: 3,
      is_savepoint: true,
      savepointFormat: 'CANONICAL',
      checkpoint_type: 'SAVEPOINT',
      external_path: 's3://bucket/savepoint-1',
    })
    expect(latest.failed).toMatchObject({ id: 2, failure_message: 'disk full', failure_timestamp: START_MS + 50 })
    expect(latest.failed.external_path).toBeUndefined()
    expect(latest.restored).toEqual({
      id: 1,
      restore_timestamp: START_MS + 110,
      is_savepoint: false,
      external_path: '/ckp/chk-1',
    })
  })

  it('says of which ones the files are gone', async () => {
    takeSome()
    job.statistics.keeps([])
    const { history, latest } = (await get('')).body
    const of = (id: number) => history.find((one: { id: number }) => one.id === id).discarded
    expect([latest.completed.discarded, of(1), of(2), of(3)]).toEqual([true, true, undefined, false])
  })

  it('is there before the first one', async () => {
    expect(await get('')).toEqual({
      status: 200,
      body: {
        counts: { restored: 0, total: 0, in_progress: 0, completed: 0, failed: 0 },
        summary: Object.fromEntries(
          [
            'checkpointed_size',
            'state_size',
            'end_to_end_duration',
            'alignment_buffered',
            'processed_data',
            'persisted_data',
          ].map((name) => [name, ZEROS]),
        ),
        latest: { completed: null, savepoint: null, failed: null, restored: null },
        history: [],
      },
    })
  })

  it('answers 404 for a job that there is none of', async () => {
    for (const path of ['', '/config', '/details/1', `/details/1/subtasks/${VERTEX.top}`])
      expect((await fetch(`${rest.url}/jobs/${hexId(1)}/checkpoints${path}`)).status).toBe(404)
  })
})

describe('GET /jobs/:jobid/checkpoints/details', () => {
  it('has the tasks', async () => {
    takeSome()
    const { tasks, ...checkpoint } = (await get('/details/4')).body
    expect(checkpoint).toMatchObject({
      id: 4,
      status: 'IN_PROGRESS',
      end_to_end_duration: 5,
      num_acknowledged_subtasks: 2,
    })
    expect(Object.keys(tasks)).toEqual([VERTEX.source, VERTEX.window, VERTEX.top, VERTEX.late])
    expect(tasks[VERTEX.source]).toEqual({
      id: 4,
      status: 'COMPLETED',
      latest_ack_timestamp: START_MS + 110,
      end_to_end_duration: 0,
      state_size: 2000,
      checkpointed_size: 200,
      alignment_buffered: 0,
      processed_data: 0,
      persisted_data: 0,
      num_subtasks: 2,
      num_acknowledged_subtasks: 2,
    })
    expect(tasks[VERTEX.window]).toMatchObject({ status: 'IN_PROGRESS', latest_ack_timestamp: -1, state_size: 0 })
  })

  it('has each subtask, with its times and their spread', async () => {
    job.checkpoint(1, { count: 3 })
    const source = (await get(`/details/1/subtasks/${VERTEX.source}`)).body
    expect(source.subtasks[1]).toEqual({
      className: 'completed',
      index: 1,
      status: 'completed',
      ack_timestamp: START_MS,
      end_to_end_duration: 0,
      state_size: 1000,
      checkpointed_size: 100,
      checkpoint: { sync: 3, async: 4 },
      alignment: { buffered: 0, processed: 0, persisted: 0, duration: 2 },
      start_delay: 1,
      unaligned_checkpoint: false,
      aborted: false,
    })
    const all = (n: number) => ({ min: n, max: n, avg: n, p50: n, p90: n, p95: n, p99: n, p999: n })
    expect(source.summary).toMatchObject({
      state_size: all(1000),
      checkpoint_duration: { sync: all(3), async: all(4) },
      alignment: { duration: all(2), buffered: ZEROS },
      start_delay: all(1),
    })
    const window = (await get(`/details/1/subtasks/${VERTEX.window}`)).body
    expect(window).toMatchObject({ num_subtasks: 2, num_acknowledged_subtasks: 1, status: 'IN_PROGRESS' })
    expect(window.subtasks[1]).toEqual({ className: 'pending', index: 1, status: 'pending_or_failed' })
    const top = (await get(`/details/1/subtasks/${VERTEX.top}`)).body
    expect(top.summary.start_delay).toEqual(ZEROS)
  })

  it('answers 404 for what is not there, or not any more', async () => {
    takeSome()
    const unknown = await get('/details/9')
    expect([unknown.status, unknown.body.errors[0]]).toEqual([
      404,
      `Cannot find checkpoint 9 of job ${job.id}: there is none of this id, or not any more; the last 10 (web.checkpoints.history) and the last of each kind are remembered`,
    ])
    expect((await get(`/details/1/subtasks/${hexId(0xdead)}`)).status).toBe(404)
    expect((await get('/details/one')).status).toBe(400)
  })
})

describe('GET /jobs/:jobid/checkpoints/config', () => {
  it('has what is set, and -1 for what is not', async () => {
    expect((await get('/config')).body).toEqual({
      mode: 'EXACTLY_ONCE',
      interval: -1,
      timeout: 600_000,
      min_pause: 0,
      max_concurrent: 1,
      externalization: { enabled: false, delete_on_cancellation: true },
      state_backend: 'HashMapStateBackend',
      checkpoint_storage: 'JobManagerCheckpointStorage',
      unaligned_checkpoints: false,
      tolerable_failed_checkpoints: 0,
      aligned_checkpoint_timeout: 0,
      checkpoints_after_tasks_finish: true,
      state_changelog_enabled: false,
      changelog_storage: '',
      changelog_periodic_materialization_interval: -1,
      checkpoint_directory: null,
      savepoint_directory: null,
    })
    Object.assign(job.plan.config.options, {
      'execution.checkpointing.interval': '10s',
      'execution.checkpointing.dir': 's3://bucket/ckp',
      'execution.checkpointing.savepoint-dir': 's3://bucket/sp',
      'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
    })
    expect((await get('/config')).body).toMatchObject({
      interval: 10_000,
      checkpoint_storage: 'FileSystemCheckpointStorage',
      externalization: { enabled: true, delete_on_cancellation: false },
      checkpoint_directory: 's3://bucket/ckp',
      savepoint_directory: 's3://bucket/sp',
    })
  })
})
