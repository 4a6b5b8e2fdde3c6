import { expect, test } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { FakeCluster, flightPlan, hexId, START_MS, VERTEX } from '../rest/fake-cluster.suite.ts'
import { allSamples, embeddedTaskManagerId } from './cluster-samples.ts'
import { type PrometheusOptions, prometheusText } from './prometheus.ts'
import { MetricsReader } from './reader.ts'

function running() {
  const clock = new ManualClock(START_MS)
  const cluster = new FakeCluster(clock)
  const job = cluster.submit()
  const reader = new MetricsReader(cluster, clock)
  reader.look()
  /** Lines of the exposition that hold all of the texts. */
  const scrape = async (wanted: string[] = [], options?: PrometheusOptions): Promise<string[]> => {
    const { body } = await prometheusText(allSamples(reader, 'here'), options)
    return body.split('\n').filter((line) => wanted.every((text) => line.includes(text)))
  }
  return { clock, cluster, job, reader, scrape }
}

const value = (lines: string[]): number => {
  expect(lines).toHaveLength(1)
  return Number(lines[0]!.split(' ').at(-1))
}

test('a counter of a task is a gauge under its Flink name with its labels, and a true counter beside it', async () => {
  const { cluster, job, scrape } = running()
  job.count(VERTEX.source, 1, 'numRecordsOut', 12)
  const labels = [
    'host="here"',
    `tm_id="${embeddedTaskManagerId(cluster.startTime)}"`,
    `job_id="${job.id}"`,
    'job_name="Flight_delays"',
    `task_id="${VERTEX.source}"`,
    'task_name="Source:_flights____parse____departed"',
    `task_attempt_id="${job.id}_${VERTEX.source}_1_0"`,
    'task_attempt_num="0"',
    'subtask_index="1"',
  ].join(',')
  const name = 'flink_taskmanager_job_task_numRecordsOut'
  expect(await scrape([`${name}{`, 'subtask_index="1"', VERTEX.source])).toEqual([`${name}{${labels}} 12`])
  expect(await scrape([`${name}_total{`, 'subtask_index="1"', VERTEX.source])).toEqual([`${name}_total{${labels}} 12`])
  expect(await scrape([`# TYPE ${name} `])).toEqual([`# TYPE ${name} gauge`])
  expect(await scrape([`# TYPE ${name}_total `])).toEqual([`# TYPE ${name}_total counter`])
})

test('label values are left as they are when the filter is off', async () => {
  const { scrape } = running()
  const lines = await scrape(['job_task_isBackPressured{', 'subtask_index="1"', VERTEX.source], {
    filterLabelValueCharacters: false,
  })
  expect(lines[0]).toContain('task_name="Source: flights -> parse -> departed"')
})

test('an operator has the labels of its task and its own', async () => {
  const { job, scrape } = running()
  job.operator(VERTEX.source, 0, hexId(0x12), 'numRecordsOut', 99)
  const lines = await scrape(['flink_taskmanager_job_task_operator_numRecordsOut{', 'operator_name="parse"'])
  expect(lines).toHaveLength(2)
  const [first] = lines.filter((line) => line.includes('subtask_index="0"'))
  expect(first).toContain(`operator_id="${hexId(0x12)}"`)
  expect(value([first!])).toBe(99)
})

test('watermarks at the ends of time are the ends of int64', async () => {
  const { job, scrape } = running()
  job.set(VERTEX.window, 0, 'currentInputWatermark', Infinity)
  const lines = await scrape(['job_task_currentInputWatermark{', VERTEX.window])
  expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['9223372036854775807', '-9223372036854775808'])
})

test('meters are growth per second, and times are shares of a second', async () => {
  const { clock, job, scrape } = running()
  clock.advance(4000)
  job.count(VERTEX.window, 0, 'numRecordsIn', 1000)
  job.count(VERTEX.window, 0, 'accumulateBusyTimeMs', 1000)
  job.count(VERTEX.window, 0, 'accumulateBackPressuredTimeMs', 2000)
  job.count(VERTEX.window, 0, 'accumulateIdleTimeMs', 1000)
  const of = async (name: string) => value(await scrape([`_job_task_${name}{`, VERTEX.window, 'subtask_index="0"']))
  expect(await of('numRecordsInPerSecond')).toBe(250)
  expect(await of('busyTimeMsPerSecond')).toBe(250)
  expect(await of('backPressuredTimeMsPerSecond')).toBe(500)
  expect(await of('idleTimeMsPerSecond')).toBe(250)
  expect(await of('Shuffle_Netty_Input_numBytesInLocal')).toBe(0)
})

test("a user's group with a value is a label and part of the name", async () => {
  const { job, scrape } = running()
  const { writer } = job.pages[0]!
  const { group } = writer.operator(VERTEX.source, 0, hexId(0x11))
  group.group('KafkaSourceReader').group('topic', 'orders').group('partition', '3').gauge('currentOffset').set(41)
  group.counter('late-ones').inc(2)
  const offset = 'flink_taskmanager_job_task_operator_KafkaSourceReader_topic_partition_currentOffset{'
  const [line] = await scrape([offset])
  expect(line).toContain('topic="orders",partition="3"')
  expect(value([line!])).toBe(41)
  expect(value(await scrape(['flink_taskmanager_job_task_operator_late_ones_total{']))).toBe(2)
})

test('the lag of a Kafka partition is also under the name that dashboards know', async () => {
  const { job, scrape } = running()
  const { group } = job.pages[0]!.writer.operator(VERTEX.source, 0, hexId(0x11))
  const consumer = group.group('KafkaSourceReader').group('KafkaConsumer')
  consumer.gauge('records-lag-max').set(9)
  for (const [partition, lag] of [9, 4].entries())
    consumer.group('topic', 'orders').group('partition', `${partition}`).gauge('records-lag').set(lag)
  const max = 'KafkaSourceReader_KafkaConsumer_records_lag_max'
  expect(value(await scrape([`flink_taskmanager_job_task_operator_${max}{`]))).toBe(9)
  expect(value(await scrape([`flink_source_${max}{`, 'topic="orders",partition="0"']))).toBe(9)
  expect(value(await scrape([`flink_source_${max}{`, 'topic="orders",partition="1"']))).toBe(4)
})

test('metrics of sources and sinks are with sources and sinks, unless they count elsewhere', async () => {
  const { job, scrape } = running()
  const owners = async (name: string) =>
    new Set((await scrape([`task_operator_${name}{`])).map((line) => /operator_name="([^"]*)"/.exec(line)![1]))
  expect(await owners('numRecordsSend')).toEqual(new Set(['Sink:_print', 'Sink:_late_flights']))
  expect(await owners('numSplitsProcessed')).toEqual(new Set(['Source:_flights']))
  job.operator(VERTEX.source, 0, hexId(0x12), 'numRecordsInErrors', 1)
  expect(await owners('numRecordsInErrors')).toEqual(new Set(['Source:_flights', 'parse']))
})

test('the JobManager tells of slots and jobs, and of a job how long it was in which status', async () => {
  const { clock, cluster, job, scrape } = running()
  clock.advance(5000)
  expect(value(await scrape(['flink_jobmanager_numRunningJobs{']))).toBe(1)
  expect(value(await scrape(['flink_jobmanager_taskSlotsTotal{']))).toBe(2)
  expect(value(await scrape(['flink_jobmanager_taskSlotsAvailable{']))).toBe(0)
  expect(value(await scrape(['flink_jobmanager_job_uptime{']))).toBe(5000)
  expect(value(await scrape(['flink_jobmanager_job_runningTime{']))).toBe(5000)
  expect(value(await scrape(['flink_jobmanager_job_runningState{']))).toBe(1)
  expect(value(await scrape(['flink_jobmanager_job_numRestarts{']))).toBe(0)
  job.numRestarts = 3
  job.checkpoint(7)
  clock.advance(42)
  job.statistics.completed(7, { path: '/ckp/chk-7', metadataBytes: 512 })
  job.checkpoint(8)
  job.statistics.failed(8, 'disk full')
  job.checkpoint(9)
  expect(value(await scrape(['flink_jobmanager_job_numRestarts{']))).toBe(3)
  expect(value(await scrape(['flink_jobmanager_job_lastCheckpointDuration{']))).toBe(42)
  expect(value(await scrape(['flink_jobmanager_job_lastCheckpointSize{']))).toBe(600)
  expect(value(await scrape(['flink_jobmanager_job_lastCheckpointFullSize{']))).toBe(6000)
  expect(value(await scrape(['flink_jobmanager_job_lastCheckpointMetadataSize{']))).toBe(512)
  expect(value(await scrape(['flink_jobmanager_job_lastCompletedCheckpointId{']))).toBe(7)
  expect(value(await scrape(['flink_jobmanager_job_lastCheckpointCompletedTimestamp{']))).toBe(clock.now())
  expect(value(await scrape(['flink_jobmanager_job_lastCheckpointRestoreTimestamp{']))).toBe(-1)
  expect(value(await scrape(['flink_jobmanager_job_numberOfInProgressCheckpoints{']))).toBe(1)
  expect(value(await scrape(['flink_jobmanager_job_numberOfCompletedCheckpoints{']))).toBe(1)
  expect(value(await scrape(['flink_jobmanager_job_numberOfFailedCheckpoints{']))).toBe(1)
  expect(value(await scrape(['flink_jobmanager_job_totalNumberOfCheckpoints{']))).toBe(3)
  job.status = 'RESTARTING'
  job.timestamps.RESTARTING = clock.now() - 250
  expect(value(await scrape(['flink_jobmanager_job_downtime{']))).toBe(250)
  expect(value(await scrape(['flink_jobmanager_job_uptime{']))).toBe(0)
  cluster.cancel(job.id)
  expect(value(await scrape(['flink_jobmanager_numRunningJobs{']))).toBe(0)
  expect(value(await scrape(['flink_jobmanager_taskSlotsAvailable{']))).toBe(2)
})

test('a job that has ended is not exported', async () => {
  const { job, scrape } = running()
  expect(await scrape([job.id])).not.toEqual([])
  job.end('FINISHED')
  expect(await scrape([job.id])).toEqual([])
})

test('names with quotes and line breaks cannot break the format', async () => {
  const { cluster, scrape } = running()
  cluster.submit('a "b"\nc\\', flightPlan('x'))
  const lines = await scrape(['flink_jobmanager_job_uptime{', 'job_name="a'], { filterLabelValueCharacters: false })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('job_name="a \\"b\\"\\nc\\\\"')
})

test('the process reports under the names of the JVM', async () => {
  const { scrape } = running()
  for (const scope of ['jobmanager', 'taskmanager']) {
    expect(value(await scrape([`flink_${scope}_Status_JVM_Memory_Heap_Used{`]))).toBeGreaterThan(1e6)
    expect(value(await scrape([`flink_${scope}_Status_JVM_Memory_Heap_Max{`]))).toBeGreaterThan(1e7)
    expect(value(await scrape([`flink_${scope}_Status_JVM_CPU_Time{`]))).toBeGreaterThan(0)
    expect(value(await scrape([`flink_${scope}_Status_JVM_GarbageCollector_All_Count{`]))).toBeGreaterThanOrEqual(0)
  }
})
