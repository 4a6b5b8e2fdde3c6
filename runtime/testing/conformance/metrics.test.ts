/**
 * Every system metric of metrics.json is in a scrape of a running job, or is left out for a reason. What is left out must not be
 * there, so that the lists below shrink as metrics arrive.
 */
import { expect, test } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import { allSamples } from '../../metrics/cluster-samples.ts'
import { prometheusText } from '../../metrics/prometheus.ts'
import { MetricsReader } from '../../metrics/reader.ts'
import { FakeCluster, START_MS } from '../../rest/fake-cluster.suite.ts'
import { type ConformanceCase, loadCases, runCases, Skip, type SkipReason } from './load.ts'

/** Prefixes of a documented scope: one of each group must hold the metric. */
const SCOPES: Record<string, string[][]> = {
  'Job-/TaskManager': [['jobmanager'], ['taskmanager']],
  JobManager: [['jobmanager']],
  TaskManager: [['taskmanager']],
  'Job (only available on JobManager)': [['jobmanager_job']],
  'Job (only available on TaskManager)': [['taskmanager_job']],
  Task: [['taskmanager_job_task']],
  'Task (only if buffer debloating is enabled and in non-source tasks)': [['taskmanager_job_task']],
  Operator: [['taskmanager_job_task_operator']],
  'Task/Operator': [['taskmanager_job_task', 'taskmanager_job_task_operator']],
  Split: [['taskmanager_job_task_operator']],
}

/** Left out by section, then by section and name. */
const SECTIONS: Record<string, SkipReason> = {
  ClassLoader: 'jvm-only',
  'State Access Latency': 'not-measured-yet',
  'State Size': 'not-measured-yet',
  'State Changelog': 'other-engine',
  ForSt: 'other-engine',
  'Kinesis Source': 'other-engine',
  'HBase Connectors': 'other-engine',
  'System CPU': 'other-engine',
  'System memory': 'other-engine',
  'System network': 'other-engine',
  'Speculative Execution': 'other-engine',
  'Async State Processing': 'other-engine',
}
const NAMES: [pattern: RegExp, reason: SkipReason][] = [
  [/^Memory (Mapped\.|Direct\.Count)/, 'jvm-only'],
  [/^Memory Managed\./, 'not-measured-yet'],
  // A text, which is in REST; Prometheus has numbers only.
  [/^Checkpointing lastCheckpointExternalPath/, 'not-a-number'],
  [/^Checkpointing fileMerging/, 'other-engine'],
  [
    /^(Network|Default shuffle service) .*(MemorySegments|Memory|MemoryUsage|QueueLen|PoolUsage|BuffersUsage|QueueSize)$/,
    'not-measured-yet',
  ],
  [/^IO (mailbox|initializationTime|max(Soft|Hard)BackPressuredTimeMs)/, 'not-measured-yet'],
  [/^IO (estimatedTimeToConsumeBuffersMs|debloatedBufferSize|changelogBusyTimeMsPerSecond)/, 'other-engine'],
  [/^IO (watermark\.|watermarkAlignmentDrift|currentInputNWatermark)/, 'not-measured-yet'],
  [/^Kinesis Sink CurrentSendTime/, 'other-engine'],
  [/^IO .*latency$/, 'not-measured-yet'],
]

const file = loadCases('metrics.json') as { metrics: ConformanceCase[] } | undefined

test.skipIf(file === undefined)('metrics of a running job have the documented names', async () => {
  const clock = new ManualClock(START_MS)
  const cluster = new FakeCluster(clock)
  cluster.submit()
  const reader = new MetricsReader(cluster, clock)
  reader.look()
  const { body } = await prometheusText(allSamples(reader, 'here'))
  const names = [...new Set(body.match(/^flink_\w+(?=\{)/gm))]

  const cases = file!.metrics.map(repaired).map((metric, i) => ({
    ...metric,
    id: [i, metric.scope, metric.infix, metric.name].join(' '),
  }))
  const outcomes = await runCases('metrics.json', cases, ({ scope, infix, section, name }) => {
    const groups = SCOPES[scope]
    if (groups === undefined) throw new Error(`unknown scope ${scope}`)
    const missing = groups.filter((group) => !group.some((prefix) => names.some((n) => fits(n, prefix, infix, name))))
    const reason = SECTIONS[section] ?? NAMES.find(([pattern]) => pattern.test(`${section} ${name}`))?.[1]
    if (reason !== undefined) {
      if (missing.length === 0) throw new Error(`is exported, and is on the list of what is left out (${reason})`)
      throw new Skip(reason)
    }
    if (missing.length > 0) throw new Error(`is not exported in ${missing.join(', ')}`)
  })
  expect([...outcomes].filter(([, { status }]) => status === 'fail').map(([id]) => id)).toEqual([])
})

/** A few rows of the source lost their first column: what stands as scope is the name. */
function repaired(metric: ConformanceCase): ConformanceCase {
  return metric.scope in SCOPES
    ? metric
    : { ...metric, name: metric.scope, scope: 'Job (only available on JobManager)' }
}

function fits(exported: string, prefix: string, infix: string | undefined, name: string): boolean {
  const wanted = [infix, name.replace(/ .*/, '')].filter((part) => part).join('.')
  const pattern = wanted.replace(/<[^>]*>|[^a-zA-Z0-9]/g, (part) => (part.startsWith('<') ? '[A-Za-z]+' : '_'))
  return new RegExp(`^flink_${prefix}_${pattern}$`).test(exported)
}
