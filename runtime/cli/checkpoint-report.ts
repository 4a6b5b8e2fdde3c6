/**
 * Checkpoints and checks of them as the command line shows them. Pure: descriptions in, text out.
 */
import type { CheckedOperator, RestoreCheck } from '../checkpoint/check.ts'
import type { CheckpointDescription, OperatorDescription, StateDescription } from '../checkpoint/describe.ts'
import { columns } from './columns.ts'
import type { Style } from './style.ts'

export interface Inspected extends CheckpointDescription {
  /** Of `_metadata`, absolute. */
  path: string
  metadataBytes: number
  committed: boolean
}

/** For `tailrace inspect`. */
export function reportCheckpoint(checkpoint: Inspected, style: Style): string {
  const { kind, checkpointId, jobName, jobId, timestampMs, stateBytes, files, committed } = checkpoint
  const facts = [
    `job ${jobId}`,
    `${bytesText(stateBytes)} of state in ${files === 1 ? '1 file' : `${files} files`}`,
    ...(committed ? ['its transactions were committed'] : []),
  ]
  const blocks = checkpoint.operators.map((operator) => [
    `${style.bold(operator.name)}${style.dim(`  ${operatorFacts(operator)}`)}`,
    ...columns(operator.states.map(stateRow)),
  ])
  return [
    `${style.bold(`${kind} ${checkpointId} of "${jobName}"`)}, ${timeText(timestampMs)}`,
    style.cyan(checkpoint.path),
    style.dim(facts.join(' · ')),
    ...blocks.flatMap((lines) => ['', ...lines]),
    '',
  ].join('\n')
}

function operatorFacts({ uid, parallelism, maxParallelism, finished, states }: OperatorDescription): string {
  return [
    uid === null ? 'no uid' : `uid ${uid}`,
    `parallelism ${parallelism} of ${maxParallelism}`,
    ...(finished === 'none' ? [] : [finished === 'all' ? 'finished' : 'finished in part']),
    ...(states.length === 0 ? ['no state'] : []),
  ].join(' · ')
}

function stateRow({ name, kind, type, rows, bytes, windows, settings }: StateDescription): string[] {
  const unit = kind === 'split' || kind === 'union' || kind === 'broadcast' ? 'elements' : 'rows'
  return [
    name,
    kind,
    type ?? '',
    rows === null ? '' : `${rows.toLocaleString('en-US')} ${rows === 1 ? unit.slice(0, -1) : unit}`,
    bytes === null ? '' : bytesText(bytes),
    [
      ...(windows === undefined ? [] : [windows === 1 ? 'in 1 window' : `in ${windows} windows`]),
      ...(settings === undefined ? [] : [JSON.stringify(settings)]),
    ].join(' '),
  ]
}

/** For `tailrace check`. */
export function reportCheck(
  { kind, checkpointId, jobName }: CheckpointDescription,
  { name, file }: { name: string; file: string },
  check: RestoreCheck,
  style: Style,
): string {
  const marks = {
    restored: style.green('✔'),
    known: style.dim('·'),
    new: style.cyan('+'),
    missing: style.red('✘'),
    'left behind': style.cyan('-'),
  }
  const rows = columns(
    check.operators.map((operator) => [
      operator.name,
      operator.uid === null ? 'no uid' : `uid ${operator.uid}`,
      outcomeText(operator, kind),
    ]),
  )
  const problems = check.problems.length
  const verdict = check.fits
    ? style.green('✔ The job can go on from it.')
    : style.red(`✘ The job cannot go on from it: ${problems === 1 ? '1 problem' : `${problems} problems`}.`)
  return [
    `${style.bold(`${kind} ${checkpointId} of "${jobName}"`)} for ${style.bold(`"${name}"`)} (${file})`,
    '',
    ...rows.map((row, i) => `${marks[check.operators[i]!.outcome]}${row.slice(1)}`),
    '',
    ...check.warnings.map((warning) => `! ${warning}`),
    ...check.problems.map((problem) => `${style.red('✘')} ${problem}`),
    ...(check.warnings.length + problems === 0 ? [] : ['']),
    verdict,
    '',
  ].join('\n')
}

function outcomeText({ outcome, stored, planned, finished, suggestion }: CheckedOperator, kind: string): string {
  switch (outcome) {
    case 'new':
      return 'is new and begins empty'
    case 'missing':
      return `has state of ${bytesText(stored!.stateBytes)} and is not in the job${suggestion === undefined ? '' : `: is it ${suggestion}?`}`
    case 'left behind':
      return `is not in the job: its state of ${bytesText(stored!.stateBytes)} is left behind`
  }
  const change = (what: string, from: number, to: number) => (from === to ? [] : [`${what} ${from} → ${to}`])
  return [
    outcome === 'known'
      ? 'had no state'
      : `goes on with ${stored!.stateBytes === 0 ? 'its' : `${bytesText(stored!.stateBytes)} of`} state`,
    ...change('parallelism', stored!.parallelism, planned!.parallelism),
    ...change('max parallelism', stored!.maxParallelism, planned!.maxParallelism),
    ...(finished ? [`finished before the ${kind}`] : []),
  ].join(', ')
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** `312 B`, `12.3 MB`; factors of 1000. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`
}

/** `2026-05-01 12:00:00 UTC`. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
