/**
 * `npm run bench:operator [-- --case NAME[,NAME] --repeat N --json --main FILE]`: `tailrace operator` in a process of its own, as in a pod, against an API server in memory (world.ts), with pods and
 * JobManagers that are played.
 *
 * | case | what is measured |
 * |---|---|
 * | start | from the start of the process: it leads, its first act for the only StreamDeployment |
 * | start-beside | the same beside `resources` that run already |
 * | apply | `resources` are applied at once: until all jobs run |
 * | idle | CPU and memory while nothing happens but long polls and renewed Leases |
 * | checkpoints | the same while each job completes a checkpoint each minute |
 * | edit | an edit of one of the resources until it is done and told in its status; parallelism, savepoint and labels in turn |
 * | status | a change of a job until the status of its resource tells it |
 * | clean | SIGTERM to the operator that leads: another leads, and has done what somebody wants of it then |
 * | killed | SIGKILL to it |
 */
import { cpus } from 'node:os'
import { commandLine, wholeNumber, wordsOf } from '../../scripts/command-line.ts'
import { spread } from './figures.ts'
import { applied, edited, type Found, type Given, idle, jobChanged, started, takenOver } from './measure.ts'

const CASES: Record<string, (given: Given) => Promise<Found>> = {
  start: (given) => started(given, false),
  'start-beside': (given) => started(given, true),
  apply: applied,
  idle: (given) => idle(given),
  checkpoints: (given) => idle(given, 60_000),
  edit: edited,
  status: jobChanged,
  clean: (given) => takenOver(given, 'SIGTERM'),
  killed: (given) => takenOver(given, 'SIGKILL'),
}

const USAGE = `Usage: npm run bench:operator -- [options]

  --case NAME[,NAME]  which cases; all unless given: ${Object.keys(CASES).join(' ')}
  --repeat N          how often; 1 unless given
  --resources N       StreamDeployments; 200 unless given
  --seconds N         of idleness; 60 unless given
  --changes N         300 unless given
  --set key=value     configuration of the operator; again for more
  --main FILE         the built command, dist/runtime/cli/main.js, instead of the sources
  --logs DIR          keeps what operators log there
  --json              one object a line instead of the table`

const { values: args } = commandLine(USAGE, {
  options: {
    case: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    resources: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    changes: { type: 'string', default: '300' },
    set: { type: 'string', multiple: true, default: [] },
    main: { type: 'string' },
    logs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const names = wordsOf('--case', args.case, Object.keys(CASES))
const repeats = wholeNumber('--repeat', args.repeat, 1)
const given: Given = {
  resources: wholeNumber('--resources', args.resources, 1),
  seconds: wholeNumber('--seconds', args.seconds, 1),
  changes: wholeNumber('--changes', args.changes, 1),
  configuration: args.set,
  logs: args.logs,
  main: args.main,
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
if (!args.json) console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`)
const results: Record<string, Found[]> = {}
for (let repeat = 1; repeat <= repeats; repeat++)
  for (const name of names) {
    const found = await CASES[name]!(given)
    ;(results[name] ??= []).push(found)
    if (args.json) console.log(JSON.stringify({ case: name, ...found }))
    else if (repeats > 1) process.stderr.write(`${name} ${repeat}/${repeats}\n`)
  }
if (!args.json) for (const [name, runs] of Object.entries(results)) console.log(`${name.padEnd(13)} ${spread(runs)}`)
