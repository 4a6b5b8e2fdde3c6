/**
 * What a run takes place in: a folder with the input, the output and a log, the command line of the job, and the judgement of what came out.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CheckpointPlace, DEPLOYMENT } from './checkpoint-place.ts'
import { compareLines, expectedLines, makeInput } from './events.ts'
import type { Random } from './random.ts'
import type { OutsideBlow } from './schedule.ts'

export const RECORDS = 24_000
/** Of the whole job, unless said. */
const RECORDS_PER_SECOND = 12_000
/** Of differences, of each kind. */
const SHOWN_MAX = 5

export interface LifeArgs {
  parallelism: number
  intervalMs: number
  place: CheckpointPlace
  recordsPerSecond?: number
  /** Options of the command; those of `tailrace run` unless given. */
  flags?: readonly string[]
}

export interface Scene {
  readonly folder: string
  readonly logFile: string
  /** Of `tailrace run` or `tailrace jobmanager`, behind the job's file. */
  args(life: LifeArgs): string[]
  /** How what a reader may see differs from what the input makes, in lines; empty when it does not. */
  problems(): Promise<string[]>
  /** Hits what the job stands on; scenes of files have nothing. */
  onOutside?(what: OutsideBlow): void
  remove(): void | Promise<void>
}

/** What all scenes tell `tailrace run`. */
export function commonArgs({
  parallelism,
  intervalMs,
  place,
  recordsPerSecond = RECORDS_PER_SECOND,
  flags = ['--slots', String(parallelism), '--no-web', '--metrics-port', '0'],
}: LifeArgs): string[] {
  return [
    ...[...flags, '-p', String(parallelism)],
    ...Object.entries({
      'tailrace.deployment.id': DEPLOYMENT,
      'execution.checkpointing.interval': `${intervalMs} ms`,
      // A store that fails must not fail the job.
      'execution.checkpointing.tolerable-failed-checkpoints': '1000',
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': '1000',
      'restart-strategy.fixed-delay.delay': '20 ms',
      ...place.options,
    }).flatMap(([key, value]) => ['-D', `${key}=${value}`]),
    ...['--rate', String(recordsPerSecond / parallelism)],
  ]
}

/** `name` is part of the folder's. */
export function makeScene(name: string, random: Random): Scene {
  const input = makeInput(random, RECORDS)
  const folder = mkdtempSync(join(tmpdir(), `tailrace-chaos-${name}-`))
  const path = (file: string) => join(folder, file)
  mkdirSync(path('in'))
  input.files.forEach((events, i) => {
    writeFileSync(path(`in/${i}.jsonl`), events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  })
  return {
    folder,
    logFile: path('log'),
    args: (life) => [...commonArgs(life), '--in', path('in'), '--out', path('out'), '--end', String(input.endMs)],
    problems: async () => differences(committedLines(path('out')), expectedLines(input)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** In lines; empty when there is none. Both are sorted. */
export function differences(found: string[], wanted: string[]): string[] {
  const { lost, extra } = compareLines(found, wanted)
  const tell = (what: string, lines: string[]) =>
    lines.length === 0 ? [] : [`${lines.length} lines ${what}: ${lines.slice(0, SHOWN_MAX).join(' | ')}`]
  return [...tell(`of ${wanted.length} lost`, lost), ...tell('too many', extra)]
}

/** Lines of all part files that a reader may see, sorted. */
export function committedLines(out: string): string[] {
  if (!existsSync(out)) return []
  return readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^[._]/.test(entry.name))
    .flatMap(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8').split('\n').filter(Boolean))
    .sort()
}
