/**
 * Samples of a job's tasks and operators [M-02], from the cells that its slots report.
 *
 * Counters that Flink pairs with a meter get their `PerSecond` here. Some of Flink's names say the same in other places (the
 * network stack's); they are listed in ALIASES, so that its dashboards find them.
 */
import type { JobReader, MetricCell, TaskReader } from './job-reader.ts'
import { METER_MS } from './job-reader.ts'
import { type MeasuredJob, type MeasuredOperator, taskEnded } from './measured.ts'
import { NO_LABELS, type Sample } from './sample.ts'

/** Counters with a meter beside them. */
const METERED: Record<'task' | 'operator', ReadonlySet<string>> = {
  task: new Set([
    'numRecordsIn',
    'numRecordsOut',
    'numBytesIn',
    'numBytesOut',
    'numBuffersIn',
    'numBuffersOut',
    'numFiredTimers',
  ]),
  operator: new Set(['numRecordsIn', 'numRecordsOut', 'numBytesIn', 'numRecordsSend', 'numBytesSend']),
}

/** Flink's other names of the same. All channels are inside one process, which Flink calls local. */
const ALIASES: Record<'task' | 'operator', Record<string, readonly string[]>> = {
  task: {
    inputQueueLength: ['buffers.inputQueueLength', 'Shuffle.Netty.Input.Buffers.inputQueueLength'],
    outputQueueLength: ['buffers.outputQueueLength', 'Shuffle.Netty.Output.Buffers.outputQueueLength'],
    numBytesIn: ['numBytesInLocal', 'Shuffle.Netty.Input.numBytesInLocal'],
    numBuffersIn: ['numBuffersInLocal', 'Shuffle.Netty.Input.numBuffersInLocal'],
  },
  operator: { numRecordsSendErrors: ['numRecordsOutErrors'] },
}
/** Dashboards and alerts in use know the lag of each partition by this name, in a scope of its own. */
const LAG = 'KafkaSourceReader.KafkaConsumer.topic.partition.records-lag'
const LAG_ALIAS = 'KafkaSourceReader.KafkaConsumer.records-lag-max'
const REMOTE = ['numBytesIn', 'numBuffersIn'].flatMap((name) => [`${name}Remote`, `Shuffle.Netty.Input.${name}Remote`])

const NOT_EXPORTED = new Set(['isInTurn'])
/** Metrics that mean something at the ends of a job only; elsewhere they are shown once they count. */
const OF_SOURCES = new Set(['numSplitsProcessed', 'watermarkLag', 'numRecordsInErrors'])
const OF_SINKS = new Set(['numRecordsSend', 'numRecordsSendErrors', 'numBytesSend'])
/** Flink cuts operator names at this length, as they repeat in every series. */
const OPERATOR_NAME_MAX = 80

/** Samples of the subtasks that have not ended; `owner` has the labels of the job on their TaskManager. */
export function* taskSamples(
  job: MeasuredJob,
  reader: JobReader,
  owner: Readonly<Record<string, string>>,
  nowMs: number,
): Iterable<Sample> {
  const plans = new Map(job.plan.vertices.map((vertex) => [vertex.id, vertex]))
  for (const { id, subtasks } of job.vertices) {
    const plan = plans.get(id)
    if (plan === undefined) continue
    const operators = new Map(plan.operators.map((operator) => [operator.operatorId, operator]))
    for (const subtask of subtasks) {
      const { index, attempt, state } = subtask
      const task = reader.task(id, index)
      if (task === undefined || taskEnded(state)) continue
      const labels = {
        ...owner,
        task_id: id,
        task_name: plan.name,
        task_attempt_id: `${job.id}_${id}_${index}_${attempt}`,
        task_attempt_num: String(attempt),
        subtask_index: String(index),
      }
      for (const sample of subtaskSamples(task, labels, operators, nowMs)) {
        yield sample
        if (sample.name === LAG) yield { ...sample, scope: 'source', name: LAG_ALIAS }
      }
    }
  }
}

/** Samples of one subtask and its operators. */
export function* subtaskSamples(
  task: TaskReader,
  owner: Readonly<Record<string, string>>,
  operators: ReadonlyMap<string, MeasuredOperator>,
  nowMs: number,
): Iterable<Sample> {
  const owners = new Map<string, Readonly<Record<string, string>>>()
  for (const cell of task.cells) {
    const { scope, operatorId } = cell.name
    if (scope === 'task') {
      yield* cellSamples('taskmanager_job_task', cell, owner, nowMs)
      continue
    }
    const operator = operators.get(operatorId ?? '')
    if (operator === undefined || !isShown(cell, operator)) continue
    let labels = owners.get(operator.operatorId)
    if (labels === undefined) {
      const name = operator.name.slice(0, OPERATOR_NAME_MAX)
      labels = { ...owner, operator_id: operator.operatorId, operator_name: name }
      owners.set(operator.operatorId, labels)
    }
    yield* cellSamples('taskmanager_job_task_operator', cell, labels, nowMs)
  }
  const derived = (name: string, value: number): Sample => ({
    scope: 'taskmanager_job_task',
    name,
    kind: 'gauge',
    value,
    owner,
    labels: NO_LABELS,
  })
  const { busy, idle, backPressured } = task.times(nowMs)
  yield derived('busyTimeMsPerSecond', busy)
  yield derived('idleTimeMsPerSecond', idle)
  yield derived('backPressuredTimeMsPerSecond', backPressured)
  // Nothing blocks inside a record here: all back-pressure is the soft kind.
  yield derived('softBackPressuredTimeMsPerSecond', backPressured)
  yield derived('hardBackPressuredTimeMsPerSecond', 0)
  for (const name of REMOTE) {
    yield { ...derived(name, 0), kind: 'counter' }
    yield derived(`${name}PerSecond`, 0)
  }
}

function* cellSamples(
  scope: Sample['scope'],
  { name: cell, history }: MetricCell,
  owner: Readonly<Record<string, string>>,
  nowMs: number,
): Iterable<Sample> {
  const { name, kind, index, labels } = cell
  if (cell.scope === 'task' && NOT_EXPORTED.has(name)) return
  const value = history.value(index)
  if (Number.isNaN(value)) return
  const names = [name, ...(ALIASES[cell.scope][name] ?? [])]
  for (const one of names) yield { scope, name: one, kind, value, owner, labels }
  if (!METERED[cell.scope].has(name)) return
  const perSecond = Math.max(0, history.perSecond(index, METER_MS, nowMs))
  for (const one of names) yield { scope, name: `${one}PerSecond`, kind: 'gauge', value: perSecond, owner, labels }
}

function isShown({ name, history }: MetricCell, operator: MeasuredOperator): boolean {
  const applies = OF_SOURCES.has(name.name) ? operator.isSource : !OF_SINKS.has(name.name) || operator.isSink
  return applies || history.value(name.index) !== 0
}
