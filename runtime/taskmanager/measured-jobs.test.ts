import { expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import type { Plan } from '../graph/model.ts'
import { ownSamples } from '../metrics/cluster-samples.ts'
import { type MetricName, MetricsPage } from '../metrics/page.ts'
import { prometheusText } from '../metrics/prometheus.ts'
import { MetricsReader } from '../metrics/reader.ts'
import { type MeasuredWork, measuredJobs } from './measured-jobs.ts'

const plan = {
  config: { jobName: 'orders' },
  vertices: [
    { id: 'v', name: 'map', operators: [{ operatorId: 'o', name: 'map', isSource: false, isSink: false }] },
    { id: 'w', name: 'sink', operators: [] },
  ],
} as unknown as Plan

/** A slot with a subtask of `v`, which has taken in so many records. */
function slotWith(subtask: number, records: number, more: Partial<MeasuredWork> = {}): MeasuredWork {
  const page = MetricsPage.allocate()
  const name = { scope: 'task', kind: 'counter', labels: {}, vertexId: 'v', subtask } as const
  const names: MetricName[] = [
    { ...name, index: 0, name: 'numRecordsIn' },
    { ...name, index: 1, name: 'numRecordsOut', scope: 'operator', operatorId: 'o' },
  ]
  new Float64Array(page).set([records, 10 * records])
  return {
    jobId: 'j',
    attempt: 3,
    plan,
    page,
    names,
    subtasks: [{ vertexId: 'v', subtask, state: 'RUNNING' }],
    ...more,
  }
}

const process = {
  start() {},
  look() {},
  stop() {},
  values: () => [{ name: 'Status.JVM.CPU.Load', kind: 'gauge', value: 0.5 } as const],
}

async function scrape(work: MeasuredWork[]): Promise<string[]> {
  const cluster = measuredJobs({ taskManagerId: 'tm-1', startedMs: 0, host: () => 'here', work: () => work })
  const reader = new MetricsReader(cluster, new ManualClock(1000), process)
  reader.look()
  const { body } = await prometheusText(ownSamples(reader, { host: 'here', tm_id: 'tm-1' }))
  return body.split('\n').filter((line) => line.startsWith('flink_'))
}

it('a TaskManager tells of its process and of the tasks in its slots, and of nothing else', async () => {
  const lines = await scrape([slotWith(0, 7), slotWith(4, 9)])
  expect(lines).toContain('flink_taskmanager_Status_JVM_CPU_Load{host="here",tm_id="tm_1"} 0.5')
  const task = (n: number) =>
    `{host="here",tm_id="tm_1",job_id="j",job_name="orders",task_id="v",task_name="map",task_attempt_id="j_v_${n}_3",task_attempt_num="3",subtask_index="${n}"}`
  const of = (name: string) => lines.filter((line) => line.startsWith(`flink_taskmanager_job_task_${name}{`))
  expect(of('numRecordsIn').toSorted()).toEqual([
    `flink_taskmanager_job_task_numRecordsIn${task(0)} 7`,
    `flink_taskmanager_job_task_numRecordsIn${task(4)} 9`,
  ])
  expect(of('operator_numRecordsOut').map((line) => line.split(' ').at(-1))).toEqual(['70', '90'])
  expect(lines.filter((line) => line.startsWith('flink_jobmanager'))).toEqual([])
})

it('what has ended, and what an earlier attempt has left, is not told of', async () => {
  const subtasks = [{ vertexId: 'v', subtask: 1, state: 'FINISHED' }]
  const lines = await scrape([slotWith(0, 7), slotWith(1, 8, { subtasks }), slotWith(2, 9, { attempt: 2 })])
  const subtasksOf = lines.map((line) => /subtask_index="(\d)"/.exec(line)?.[1]).filter((n) => n !== undefined)
  expect(new Set(subtasksOf)).toEqual(new Set(['0']))
  const over = await scrape([slotWith(1, 8, { subtasks })])
  expect(over.filter((line) => line.includes('job_id'))).toEqual([])
})
