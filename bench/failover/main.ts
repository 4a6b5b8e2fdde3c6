/**
 * `npm run bench:failover [-- --case NAME[,NAME] --runs N --rate N --keys N --set key=value]`: kills (SIGKILL) a TaskManager of a real cluster while a job of 100K keys runs at 100 K/s with a checkpoint every second, and
 * prints how long its output was away, by the clock of whoever receives it: the longest gap of any subtask.
 *
 * | case | processes |
 * |---|---|
 * | spare | 3 TaskManagers of a slot, parallelism 2: there is a spare slot |
 * | spare-all | 2 TaskManagers of 2 slots, parallelism 2: the one that dies may have both subtasks |
 * | new | 2 TaskManagers of a slot, parallelism 2; a new process is started at once |
 *
 * Phases are milliseconds after the kill, by the JobManager's clock: it has noticed, tasks are cancelled and the delay of the restart has passed, slots are there, tasks are deployed, tasks have their state; then the
 * first output and the last subtask's first output, by the receiver's.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLine, wholeNumber, wordsOf } from '../../scripts/command-line.ts'
import { ProcessCluster } from '../../scripts/lab/process-cluster.ts'

const CASES = {
  spare: { taskManagers: 3, slots: 1, starts: false },
  'spare-all': { taskManagers: 2, slots: 2, starts: false },
  new: { taskManagers: 2, slots: 1, starts: true },
}
type Case = keyof typeof CASES
const PARALLELISM = 2
/** Of output, before the kill and after it is back. */
const WARM_MS = 5_000
const AFTER_MS = 1_500
const WAIT_MS = 60_000
/** A subtask that says nothing for so long is away. */
const AWAY_MS = 100

const USAGE = `Usage: npm run bench:failover -- [options]

  --case NAME[,NAME]  which cases; all unless given: ${Object.keys(CASES).join(' ')}
  --runs N            of each case; 3 unless given
  --rate N            records a second; 100000 unless given
  --keys N            keys; 100000 unless given
  --set key=value     configuration of all processes; again for more
  --logs DIR          keeps what processes print there`

const { values: args } = commandLine(USAGE, {
  options: {
    case: { type: 'string' },
    runs: { type: 'string', default: '3' },
    rate: { type: 'string', default: '100000' },
    keys: { type: 'string', default: '100000' },
    set: { type: 'string', multiple: true, default: [] },
    logs: { type: 'string' },
  },
})
const names = wordsOf('--case', args.case, Object.keys(CASES)) as Case[]
const runs = wholeNumber('--runs', args.runs, 1)
const rate = wholeNumber('--rate', args.rate, 1)
const keys = wholeNumber('--keys', args.keys, 1)
const given = Object.fromEntries(args.set.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]))

/** Who says that there is output, and when. */
class Receiver {
  readonly port: number
  /** Of each subtask: when it was heard last, its longest gap since {@link watch}, and the end of the first one that is no hiccup. */
  readonly subtasks = new Map<number, { pid: number; lastMs: number; gapMs: number; backMs: number }>()
  readonly #close: () => void

  private constructor(port: number, close: () => void) {
    this.port = port
    this.#close = close
  }

  static async listen(): Promise<Receiver> {
    let receiver: Receiver
    const server = createServer((socket) => {
      let rest = ''
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          const lines = (rest + chunk.toString()).split('\n')
          rest = lines.pop()!
          for (const line of lines) receiver.#told(line)
        })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    receiver = new Receiver((server.address() as { port: number }).port, () => server.close())
    return receiver
  }

  /** Gaps count from now on. */
  watch(): void {
    for (const one of this.subtasks.values()) Object.assign(one, { gapMs: 0, backMs: 0 })
  }

  close(): void {
    this.#close()
  }

  #told(line: string): void {
    const nowMs = Date.now()
    const [subtask, pid] = line.split(' ').map(Number) as [number, number]
    const one = this.subtasks.get(subtask) ?? { pid, lastMs: nowMs, gapMs: 0, backMs: 0 }
    const gapMs = nowMs - one.lastMs
    one.gapMs = Math.max(one.gapMs, gapMs)
    if (one.backMs === 0 && gapMs >= AWAY_MS) one.backMs = nowMs
    one.lastMs = nowMs
    one.pid = pid
    this.subtasks.set(subtask, one)
  }
}

async function measure(name: Case): Promise<{ gapMs: number; phases: Record<string, number> }> {
  const { starts, ...shape } = CASES[name]
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-failover-'))
  const receiver = await Receiver.listen()
  const cluster = await ProcessCluster.start({
    ...shape,
    job: join(import.meta.dirname, 'job.ts'),
    args: [
      '-p',
      String(PARALLELISM),
      '--rate',
      String(rate),
      '--keys',
      String(keys),
      '--receiver',
      String(receiver.port),
    ],
    configuration: {
      'execution.checkpointing.interval': '1 s',
      'execution.checkpointing.dir': join(folder, 'checkpoints'),
      ...given,
    },
    logFile: args.logs === undefined ? join(folder, 'log') : join(args.logs, `${name}.log`),
  })
  try {
    await until(() => receiver.subtasks.size === PARALLELISM, 'there is output')
    await sleep(WARM_MS)
    receiver.watch()
    const { pid } = [...receiver.subtasks.values()].at(-1)!
    const node = cluster.nodeOf(pid)
    const killedMs = Date.now()
    cluster.killTaskManager(node)
    if (starts) cluster.startTaskManager(node, true)
    const all = [...receiver.subtasks.values()]
    await until(
      () => all.every((one) => one.backMs > killedMs && one.pid !== pid && Date.now() - one.lastMs < AWAY_MS),
      'there is output again',
    )
    await sleep(AFTER_MS)
    const backs = all.map(({ backMs }) => backMs)
    const phases = {
      ...(await phasesOf(cluster.restPort)),
      'first output': Math.min(...backs),
      'all output': Math.max(...backs),
    }
    return {
      gapMs: Math.max(...all.map(({ gapMs }) => gapMs)),
      phases: Object.fromEntries(Object.entries(phases).map(([phase, ms]) => [phase, ms - killedMs])),
    }
  } finally {
    await cluster.abandon()
    receiver.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Times = Record<string, number>

/** When the job and its tasks came into their states last. */
async function phasesOf(port: number): Promise<Times> {
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).json() as Promise<any>
  const { jobs } = await get('/jobs')
  const path = `/jobs/${jobs[0].id}`
  const { timestamps, vertices } = (await get(path)) as { timestamps: Times; vertices: { id: string }[] }
  const times = await Promise.all(vertices.map(({ id }) => get(`${path}/vertices/${id}/subtasktimes`)))
  const last = (state: string): number =>
    Math.max(...times.flatMap(({ subtasks }) => subtasks.map((one: { timestamps: Times }) => one.timestamps[state]!)))
  return {
    noticed: timestamps.RESTARTING!,
    'cancelled and due': timestamps.CREATED!,
    'slots there': timestamps.RUNNING!,
    deployed: last('INITIALIZING'),
    running: last('RUNNING'),
  }
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const endMs = Date.now() + WAIT_MS; !holds(); await sleep(5))
    if (Date.now() > endMs) throw new Error(`Cannot measure: waited ${WAIT_MS / 1000} s until ${what}`)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`)
for (let run = 0; run < runs; run++)
  for (const name of names) {
    const { gapMs, phases } = await measure(name)
    const told = Object.entries(phases).map(([phase, ms]) => `${phase} ${Math.round(ms)}`)
    console.log(`${name.padEnd(10)} no output for ${Math.round(gapMs)} ms   after the kill: ${told.join(', ')}`)
  }
