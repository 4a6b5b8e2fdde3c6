/**
 * `npm run bench [-- --case NAME[,NAME] --json --repeat N --records N --full --package DIR --set name=value]`: runs each case in a process of its own and
 * prints a table, or with --json one object a line. docs/benchmarks.md says what each case is and what came out.
 *
 * One process runs at a time. A case that fails is named, and the exit code is 1.
 */
import { cpus } from 'node:os'
import { commandLine, wholeNumber, wordsOf } from '../scripts/command-line.ts'
import { CASES } from './cases.ts'
import type { ChildResult } from './child.ts'
import { formatTable } from './report.ts'
import { runCase } from './run-case.ts'

const USAGE = `Usage: npm run bench -- [options]

  --case NAME[,NAME]  which cases; all unless given: ${Object.keys(CASES).join(' ')}
  --repeat N          how often; 1 unless given
  --records N         of each case, instead of its own number
  --full              as many records as the cases of docs/benchmarks.md have
  --set name=value    a setting of the case; again for more
  --package DIR       measures the package that is installed there, instead of this checkout
  --json              one object a line instead of the table`

const { values: args } = commandLine(USAGE, {
  options: {
    case: { type: 'string' },
    json: { type: 'boolean', default: false },
    repeat: { type: 'string', default: '1' },
    records: { type: 'string' },
    full: { type: 'boolean', default: false },
    package: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
})

const names = wordsOf('--case', args.case, Object.keys(CASES))
const repeats = wholeNumber('--repeat', args.repeat, 1)
const recordsGiven = args.records === undefined ? undefined : wholeNumber('--records', args.records, 1)
const settings = Object.fromEntries(args.set.map((pair) => pair.split('=', 2) as [string, string]))
const results: Record<string, ChildResult[]> = {}
if (!args.json) console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}`)
// Repeats go round all cases, so that a disturbance of a minute does not hit every run of one case.
for (let repeat = 0; repeat < repeats; repeat++) {
  for (const name of names) {
    const { records, full } = CASES[name]!
    const wanted = recordsGiven ?? (args.full && full ? full.records : records)
    const result = await runCase({ name, records: wanted, settings }, args.package)
    ;(results[name] ??= []).push(result)
    if ('error' in result) {
      process.exitCode = 1
      console.error(`Cannot measure ${name}: ${result.error}`)
    } else if (full?.records === wanted && result.out !== full.out) {
      process.exitCode = 1
      console.error(`Cannot trust ${name}: the result is ${result.out}, wanted ${full.out}`)
    }
    if (args.json && !('error' in result)) console.log(JSON.stringify({ case: name, ...result }))
    else if (!args.json && repeats * names.length > 1) process.stderr.write(`${name} ${repeat + 1}/${repeats}\n`)
  }
}
if (!args.json) console.log(formatTable(results))
