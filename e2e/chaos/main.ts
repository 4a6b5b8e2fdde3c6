/**
 * `npm run chaos -- --runs N [--seed S] [--kind K]`: a real job, from files to exactly-once files or from Kafka to Kafka, in a process of its own
 * whose slot threads are ended, which is killed (SIGKILL) and started again, and whose store, broker and network fail; or in a cluster of processes, of which each may die or stand still, and whose connections, broker and S3 fail.
 * At the end its output is what an oracle says, nothing lost and nothing doubled. schedule.ts and cluster-schedule.ts tell what strikes in which kind.
 *
 * A line per run and a summary. Run i has the seed S + i; without `--kind` kinds take turns. A run that fails prints its seed and what happened when, and keeps its folder; the
 * exit code is 1 then. The same seed strikes at the same moments, as far as a clock can tell.
 */
import { startRealBroker } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { commandLine, refuse, wholeNumber } from '../../scripts/command-line.ts'
import { missingKafkaLab } from '../../scripts/lab/kafka.ts'
import { missingOwnS3, startOwnS3 } from '../../scripts/lab/s3.ts'
import { type ClusterOutcome, clusterRun } from './cluster-run.ts'
import { CLUSTER_KINDS, type ClusterKind, describeClusterChaos, shapeOf } from './cluster-schedule.ts'
import { chaosRun, type Outcome } from './run.ts'
import { describeChaos, isOfKafka as hasTopics, type Kind, KINDS as ONE_PROCESS_KINDS } from './schedule.ts'

const KINDS: readonly (Kind | ClusterKind)[] = [...ONE_PROCESS_KINDS, ...CLUSTER_KINDS]
const isOfCluster = (kind: string): kind is ClusterKind => (CLUSTER_KINDS as readonly string[]).includes(kind)
const isOfKafka = (kind: Kind | ClusterKind) => kind === 'cluster-kafka' || (!isOfCluster(kind) && hasTopics(kind))

const isOfS3 = (kind: Kind | ClusterKind) => kind === 'cluster-s3'

const USAGE = `Usage: npm run chaos -- [options]

  --runs N     how many runs; 10 unless given
  --seed S     of the first run; the next one has S + 1; random unless given
  --kind KIND  what fails: ${KINDS.join(', ')}; they take turns unless given`

const { values: args } = commandLine(USAGE, {
  options: { runs: { type: 'string', default: '10' }, seed: { type: 'string' }, kind: { type: 'string' } },
})
const runs = wholeNumber('--runs', args.runs, 1)
const firstSeed = args.seed === undefined ? Math.floor(Math.random() * 1_000_000) : wholeNumber('--seed', args.seed, 0)
const kind = args.kind as Kind | ClusterKind | undefined
if (kind !== undefined && !KINDS.includes(kind)) refuse(`"${kind}" is no kind, wanted: ${KINDS.join(', ')}`)

const missingOf = (one: Kind | ClusterKind) =>
  isOfKafka(one) ? missingKafkaLab() : isOfS3(one) ? missingOwnS3() : undefined
if (kind !== undefined && missingOf(kind) !== undefined) refuse(missingOf(kind)!)
const kinds = kind !== undefined ? [kind] : KINDS.filter((one) => missingOf(one) === undefined)
for (const missing of new Set(KINDS.flatMap((one) => missingOf(one) ?? [])))
  if (kind === undefined) console.log(`${missing} (runs without it)`)
const kafka = kinds.some(isOfKafka) ? await startRealBroker({ proxied: true }) : undefined
const s3 = kinds.some(isOfS3) ? await startOwnS3() : undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
const outcomes: (Outcome | ClusterOutcome)[] = []
for (let i = 0; i < runs; i++) {
  const seed = firstSeed + i
  const of = kinds[seed % kinds.length]!
  const outcome = isOfCluster(of) ? await clusterRun(seed, of, { kafka, s3 }) : await chaosRun(seed, of, kafka)
  outcomes.push(outcome)
  console.log(lineOf(outcome))
  if (outcome.problems.length > 0) console.log(story(outcome))
}
await kafka?.stop()
await s3?.stop()
console.log(`\n${summary(outcomes)}`)
const failed = outcomes.filter(({ problems }) => problems.length > 0)
const sum = (of: (outcome: Partial<Outcome>) => number | undefined) =>
  outcomes.reduce((total, outcome) => total + (of(outcome as Partial<Outcome>) ?? 0), 0)
console.log(
  `${runs} runs, ${failed.length} failed${failed.length > 0 ? ` (seeds ${failed.map(({ seed }) => seed).join(', ')})` : ''}: ` +
    `${sum((o) => o.processesKilled)} processes and ${sum((o) => o.slotsKilled)} slot threads killed, ` +
    `${sum((o) => o.slotsReplaced)} threads replaced, ${sum((o) => o.checkpoints)} checkpoints, ` +
    `${sum((o) => o.storeFaults)} failures of the store; ${(sum((o) => o.seconds) / runs).toFixed(1)} s per run`,
)
// Clients of tests may leave timers behind.
process.exit(failed.length > 0 ? 1 : 0)

/** A line per kind. */
function summary(all: readonly (Outcome | ClusterOutcome)[]): string {
  const table = [['kind', 'runs', 'failed', 'strikes', 'processes killed', 'checkpoints', 's per run']]
  for (const of of new Set(all.map(({ chaos }) => chaos.kind))) {
    const some = all.filter(({ chaos }) => chaos.kind === of)
    const sum = (what: (one: Outcome | ClusterOutcome) => number) => some.reduce((total, one) => total + what(one), 0)
    table.push([
      of,
      String(some.length),
      String(sum(({ problems }) => Number(problems.length > 0))),
      String(sum(({ hits }) => hits.flat().length)),
      String(sum(({ processesKilled }) => processesKilled)),
      String(sum(({ checkpoints }) => checkpoints)),
      (sum(({ seconds }) => seconds) / some.length).toFixed(1),
    ])
  }
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n')
}

function lineOf(o: Outcome | ClusterOutcome): string {
  if (!('slotsKilled' in o)) {
    const { seed, chaos, hits, processesKilled, checkpoints, seconds } = o
    return (
      `${o.problems.length === 0 ? 'ok    ' : 'FAILED'} seed ${seed} ${chaos.kind.padEnd(11)} ${shapeOf(chaos)}: ${hits.length} strikes and comebacks, ` +
      `${processesKilled} processes killed, ${checkpoints} checkpoints, ${seconds.toFixed(1)} s`
    )
  }
  const { kind, lives } = o.chaos
  const parallelism = lives.slice(0, o.hits.length).map((life) => life.parallelism)
  return (
    `${o.problems.length === 0 ? 'ok    ' : 'FAILED'} seed ${o.seed} ${kind.padEnd(11)} parallelism ${parallelism.join(' ')}: ` +
    `${o.processesKilled} processes and ${o.slotsKilled} slots killed, ${o.checkpoints} checkpoints` +
    `${o.storeFaults > 0 ? `, ${o.storeFaults} failures of the store` : ''}, ${o.seconds.toFixed(1)} s`
  )
}

function story({ seed, chaos, problems, hits, folder }: Outcome | ClusterOutcome): string {
  const happened = hits.map((life, i) =>
    typeof life === 'string' ? `    ${life}` : `    process ${i + 1}: ${life.join(', ') || 'nothing'}`,
  )
  return [
    ...problems.map((problem) => `  ${problem}`),
    '  planned:',
    'lives' in chaos ? describeChaos(chaos) : describeClusterChaos(chaos),
    '  happened:',
    ...happened,
    `  its folder: ${folder}`,
    `  again: npm run chaos -- --runs 1 --seed ${seed} --kind ${chaos.kind}`,
  ].join('\n')
}
