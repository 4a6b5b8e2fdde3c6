/**
 * `npm run bench:flink [-- --lab DIR --case NAME[,NAME] --rounds N --json]`: runs the jobs of a real Flink and ours in turn on this machine and prints both
 * columns: records per second of 2 slots, CPU per record, and how many times ours is ahead.
 *
 * Flink comes as its lab directory builds it (a session cluster of two JVMs, 2 slots, heap state, no checkpoints), which is outside of this
 * repository: by default ../shared/lab/flink beside the checkout. Both sides have the same number of records, keys and shapes, each a warm-up, and
 * their results are compared. Per case: ours, Flink, ours, Flink with object reuse. Flink's CPU time is that of its TaskManager alone, ours that of
 * the whole process with the JobManager in it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { CASES } from './cases.ts'
import { medianOf } from './report.ts'
import { runCase } from './run-case.ts'

const root = dirname(import.meta.dirname)
const COMPARED = ['pass', 'filtermap', 'rebalance', 'keyby', 'tumble10k', 'tumble1m', 'state10k', 'state1m']
/** Suites of the lab: object reuse off, as is Flink's default, and on. */
const SUITES = ['heap', 'heap-reuse'] as const
type Side = 'tailrace' | (typeof SUITES)[number]

const { values: args } = parseArgs({
  options: {
    lab: { type: 'string', default: join(root, '../shared/lab/flink') },
    work: { type: 'string', default: join(tmpdir(), 'tailrace-bench-flink') },
    case: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})

function missing(): string | undefined {
  const wanted: [string, string[], RegExp?][] = [
    ['Java 17', ['java', '-version'], /version "17/],
    ['Maven', ['mvn', '-version']],
    ['Python 3', ['python3', '--version']],
    ['pip', ['pip', '--version']],
    ['unzip', ['unzip', '-v']],
  ]
  const absent = wanted.filter(([, [command, ...rest], pattern]) => {
    const { status, stdout, stderr } = spawnSync(command!, rest, { encoding: 'utf8' })
    return status !== 0 || (pattern !== undefined && !pattern.test(stdout + stderr))
  })
  if (absent.length > 0) {
    return `${absent.map(([name]) => name).join(', ')} missing: on Debian, apt-get install openjdk-17-jdk maven python3 python3-pip unzip`
  }
  if (!existsSync(join(args.lab, 'setup.sh'))) return `no Flink lab in ${args.lab}: give its directory by --lab`
  return undefined
}

interface Run {
  recordsPerSecond: number
  cpuNsPerRecord: number
  out: number
}

/** Downloads and builds Flink once. */
function setUp(env: NodeJS.ProcessEnv): void {
  if (existsSync(join(args.work, 'flink/lib/flink-bench.jar'))) return
  console.error(`Setting up Flink in ${args.work} (a download of about 200 MB) ...`)
  mkdirSync(args.work, { recursive: true })
  const { status } = spawnSync('bash', [join(args.lab, 'setup.sh')], { env, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`Cannot set up Flink: ${join(args.lab, 'setup.sh')} ended with ${status}`)
}

/** One job of a suite in a fresh cluster; the lab prints one object a line. */
async function runFlink(suite: string, name: string, env: NodeJS.ProcessEnv): Promise<Run> {
  const child = spawn('bash', [join(args.lab, 'run.sh'), suite, name], { env, stdio: ['ignore', 'pipe', 2] })
  let text = ''
  for await (const chunk of child.stdout!) text += chunk
  const found = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const { state, perSec, cores, out } = found[0] ?? {}
  if (state !== 'FINISHED') throw new Error(`Cannot measure Flink's ${name}: ${text.trim() || 'it printed nothing'}`)
  return { recordsPerSecond: perSec, cpuNsPerRecord: (cores / perSec) * 1e9, out }
}

async function runOurs(name: string): Promise<Run> {
  const result = await runCase({ name, records: CASES[name]!.full!.records, settings: {} })
  if ('error' in result) throw new Error(`Cannot measure ${name}: ${result.error}`)
  return result
}

async function compare(names: string[], rounds: number): Promise<void> {
  const env = { ...process.env, WORK: resolve(args.work), FLINK_HOME: join(resolve(args.work), 'flink') }
  setUp(env)
  const table: string[][] = []
  for (const name of names) {
    const runs: Record<Side, Run[]> = { tailrace: [], heap: [], 'heap-reuse': [] }
    for (let round = 0; round < rounds; round++) {
      for (const suite of SUITES) {
        runs.tailrace.push(await runOurs(name))
        runs[suite].push(await runFlink(suite, name, env))
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

const reason = missing()
if (reason !== undefined) console.log(`Skipped: ${reason}`)
else await compare(args.case?.split(',') ?? COMPARED, Number(args.rounds))
