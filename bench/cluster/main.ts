/**
 * `npm run bench:cluster [-- --case NAME[,NAME] --runs N --rate N --keys N --bytes N --set key=value]`: a JobManager and TaskManagers in processes of their own, as a user starts them.
 *
 * | case | what is measured |
 * |---|---|
 * | spare | SIGKILL of a TaskManager; 3 TaskManagers of a slot, parallelism 2: there is a spare slot |
 * | spare-all | the same; 2 TaskManagers of 2 slots, parallelism 2: the one that dies may have both subtasks |
 * | new | the same; 2 TaskManagers of a slot, parallelism 2; a new process is started at once |
 * | jobmanager | SIGKILL of the JobManager, which is started again at once under the same identity |
 * | standby | SIGKILL of the JobManager that leads; another stands by |
 * | rescale | parallelism 1 → 2 → 1 by REST, on 2 TaskManagers of a slot |
 * | start | from the start of the processes until all tasks run |
 * | tumble10k, keyby | the job of `npm run bench` over 2 TaskManagers of a slot |
 *
 * Where a job is struck: `keys` keys at `rate` a second, each with `bytes` of text in its state, and a checkpoint every second; by the clock of whoever receives the output. `no output for` is the longest time in which
 * nothing came from any subtask. Phases are milliseconds after the blow, by the JobManager's clock: it has noticed, tasks are cancelled and the delay of the restart has passed, slots are there, tasks are deployed, tasks have
 * their state; `all output` is when the last subtask's first output came.
 */
import { cpus } from 'node:os'
import { commandLine, wholeNumber, wordsOf } from '../../scripts/command-line.ts'
import {
  type Found,
  type Given,
  jobManagerKilled,
  rescaled,
  started,
  taskManagerKilled,
  throughput,
} from './measure.ts'

/** Slots of 2 TaskManagers, one each. */
const TWO = { taskManagers: 2, slots: 1, parallelism: 2 }
const RECORDS = 160_000_000

const CASES: Record<string, (given: Given) => Promise<Found>> = {
  spare: (given) => taskManagerKilled({ ...TWO, taskManagers: 3 }, given, false),
  'spare-all': (given) => taskManagerKilled({ ...TWO, slots: 2 }, given, false),
  new: (given) => taskManagerKilled(TWO, given, true),
  jobmanager: (given) => jobManagerKilled({ ...TWO, elected: true, jobManagers: 1 }, given),
  standby: (given) => jobManagerKilled({ ...TWO, elected: true, jobManagers: 2 }, given),
  rescale: (given) => rescaled({ ...TWO, parallelism: 1 }, given),
  start: (given) => started(TWO, given),
  tumble10k: (given) => throughput(TWO, given, { job: 'tumble', keys: '10000' }, RECORDS),
  keyby: (given) => throughput(TWO, given, { job: 'keyby' }, RECORDS),
}

const USAGE = `Usage: npm run bench:cluster -- [options]

  --case NAME[,NAME]  which cases; all unless given: ${Object.keys(CASES).join(' ')}
  --runs N            of each case; 3 unless given
  --rate N            records a second; 100000 unless given
  --keys N            keys; 100000 unless given
  --bytes N           of text in the state of each key; 0 unless given
  --set key=value     configuration of all processes; again for more
  --main FILE         the built command, dist/runtime/cli/main.js, instead of the sources
  --logs DIR          keeps what processes print there`

const { values: args } = commandLine(USAGE, {
  options: {
    case: { type: 'string' },
    runs: { type: 'string', default: '3' },
    rate: { type: 'string', default: '100000' },
    keys: { type: 'string', default: '100000' },
    bytes: { type: 'string', default: '0' },
    set: { type: 'string', multiple: true, default: [] },
    main: { type: 'string' },
    logs: { type: 'string' },
  },
})
const names = wordsOf('--case', args.case, Object.keys(CASES))
const runs = wholeNumber('--runs', args.runs, 1)
const given: Given = {
  rate: wholeNumber('--rate', args.rate, 1),
  keys: wholeNumber('--keys', args.keys, 1),
  bytes: wholeNumber('--bytes', args.bytes, 0),
  configuration: Object.fromEntries(args.set.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string])),
  logs: args.logs,
  main: args.main,
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`)
for (let run = 0; run < runs; run++)
  for (const name of names) {
    const found = await CASES[name]!(given)
    const told = Object.entries(found).map(([what, value]) => `${what} ${Math.round(value)}`)
    console.log(`${name.padEnd(10)} ${told.join(', ')}`)
  }
