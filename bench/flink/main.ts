/**
 * `npm run bench:flink [-- --lab DIR --case NAME[,NAME] --rounds N --json]`: runs the jobs of a real Flink and ours in turn on this machine and prints both
 * columns: records per second of 2 slots, CPU per record, and how many times ours is ahead.
 *
 * Flink comes as its lab directory builds it (a session cluster of two JVMs, 2 slots, heap state, no checkpoints), which is outside of this
 * repository: by default ../shared/lab/flink beside the checkout. Both sides have the same number of records, keys and shapes, each a warm-up, and
 * their results are compared. Per case: ours, Flink, ours, Flink with object reuse. Flink's CPU time is that of its TaskManager alone, ours that of
 * the whole process with the JobManager in it. kafka-exactly-once takes a checkpoint a second on both sides, and needs a real Kafka.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLine, wholeNumber, wordsOf } from '../../scripts/command-line.ts'
import { CASES } from '../cases.ts'
import { withEventsInKafka } from '../jobs/kafka.ts'
import { medianOf } from '../report.ts'
import { runCase } from '../run-case.ts'
import { FlinkLab, missingFlinkLab, type Run, SUITES, type Suite } from './lab.ts'

const KAFKA = 'kafka-exactly-once'
const COMPARED = ['pass', 'filtermap', 'rebalance', 'keyby', 'tumble10k', 'tumble1m', 'state10k', 'state1m', KAFKA]
type Side = 'tailrace' | Suite

const USAGE = `Usage: npm run bench:flink -- [options]

  --case NAME[,NAME]  which cases; all unless given: ${COMPARED.join(' ')}
  --rounds N          how often; 1 unless given
  --lab DIR           the Flink to run, built and ready
  --work DIR          where its files go
  --json              one object a line instead of the table`

const { values: args } = commandLine(USAGE, {
  options: {
    lab: { type: 'string', default: join(import.meta.dirname, '../../../shared/lab/flink') },
    work: { type: 'string', default: join(tmpdir(), 'tailrace-bench-flink') },
    case: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})

async function runOurs(name: string): Promise<Run> {
  const result = await runCase({ name, records: CASES[name]!.full!.records, settings: {} })
  if ('error' in result) throw new Error(`Cannot measure ${name}: ${result.error}`)
  return result
}

/** The job with Kafka has a broker of its own, filled as for ours. */
function runFlink(flink: FlinkLab, suite: Suite, name: string): Promise<Run> {
  if (name !== KAFKA) return flink.run(suite, name)
  const { records } = CASES[name]!.full!
  return withEventsInKafka(records, async ({ servers, input, output, createTopic, results }) => {
    await createTopic('warm')
    const reuse = String(suite === 'heap-reuse')
    const run = await flink.runKafkaExactlyOnce({ servers, input, output, warm: 'warm', records, reuse })
    return { ...run, out: await results() }
  })
}

async function compare(names: readonly string[], rounds: number): Promise<void> {
  const flink = new FlinkLab(args.lab, args.work)
  const table: string[][] = []
  for (const name of names) {
    const runs: Record<Side, Run[]> = { tailrace: [], heap: [], 'heap-reuse': [] }
    for (let round = 0; round < rounds; round++) {
      for (const suite of SUITES) {
        runs.tailrace.push(await runOurs(name))
        runs[suite].push(await runFlink(flink, suite, name))
      }
    }
    const outs = new Set(Object.values(runs).flatMap((side) => side.map((run) => run.out)))
    if (outs.size > 1) {
      process.exitCode = 1
      console.error(`Cannot compare ${name}: the results differ: ${[...outs].join(', ')}`)
    }
    const value = (side: Side, field: keyof Run) => medianOf(runs[side].map((run) => run[field]))!
    const row = { case: name, records: CASES[name]!.full!.records, out: runs.tailrace[0]!.out, runs }
    if (args.json) console.log(JSON.stringify(row))
    else table.push([name, ...columns(value)])
  }
  if (args.json) return
  const head = ['case', 'Flink M/s', 'reuse', 'ours', 'times', 'Flink ns CPU/record', 'reuse', 'ours', 'times']
  for (const line of [head, ...table])
    console.log(line.map((cell, i) => (i === 0 ? cell.padEnd(10) : cell.padStart(head[i]!.length + 1))).join(' '))
}

/** Times ahead of the better of Flink's two. */
function columns(value: (side: Side, field: keyof Run) => number): string[] {
  const rate = (side: Side) => value(side, 'recordsPerSecond')
  const cpu = (side: Side) => value(side, 'cpuNsPerRecord')
  return [
    ...[rate('heap'), rate('heap-reuse'), rate('tailrace')].map((perSecond) => (perSecond / 1e6).toFixed(2)),
    (rate('tailrace') / Math.max(rate('heap'), rate('heap-reuse'))).toFixed(2),
    ...[cpu('heap'), cpu('heap-reuse'), cpu('tailrace')].map((ns) => ns.toFixed(0)),
    (Math.min(cpu('heap'), cpu('heap-reuse')) / cpu('tailrace')).toFixed(2),
  ]
}

const reason = missingFlinkLab(args.lab)
if (reason !== undefined) console.log(`Skipped: ${reason}`)
else await compare(wordsOf('--case', args.case, COMPARED), wholeNumber('--rounds', args.rounds, 1))
