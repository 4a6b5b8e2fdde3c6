/**
 * What the job under chaos reads, and what it must write: an oracle that knows the input and nothing of the engine.
 *
 * The results follow from the input alone, in whatever order subtasks run: files are one after the other in event time, events in a file are out of order by less than
 * {@link DISORDER_MS}, for which the watermark waits, so nothing is late; and what a timer writes at T counts events of its own span, which end at T.
 */
import { between, type Random } from './random.ts'

export interface Event {
  id: number
  key: string
  /** Event time. */
  atMs: number
  amount: number
}

/** What one run reads. */
export interface Input {
  /** Each becomes a file; later files have later events. */
  files: Event[][]
  /** Above every event's time. */
  endMs: number
}

export const DISORDER_MS = 200
/** Of the job's timers and of its windows. */
export const SPAN_MS = 500
export const WINDOW_MS = 1_000

const KEYS = 300
const FILES = 6
/** Between two events of a file, about. */
const STEP_MS = 2

export function makeInput(random: Random, records: number): Input {
  const files: Event[][] = []
  let id = 0
  let baseMs = 0
  for (let file = 0; file < FILES; file++) {
    const count = Math.floor((records * (file + 1)) / FILES) - id
    const events = Array.from({ length: count }, (_, i) => ({
      id: id + i,
      key: `key-${between(random, 0, KEYS - 1)}`,
      atMs: baseMs + i * STEP_MS + between(random, 0, DISORDER_MS - 1),
      amount: between(random, -1000, 1000),
    }))
    files.push(events)
    id += count
    baseMs += count * STEP_MS + DISORDER_MS
  }
  return { files, endMs: Math.ceil((baseMs + 1) / WINDOW_MS) * WINDOW_MS }
}

/** Every line of the output, in order of text. */
export function expectedLines({ files, endMs }: Input): string[] {
  const lines: string[] = []
  const spans = new Map<string, Sums>()
  const windows = new Map<string, Sums>()
  const totals = new Map<string, Sums>()
  for (const { id, key, atMs, amount } of files.flat()) {
    lines.push(recordLine(id, key))
    add(spans, `${key} ${spanEnd(atMs, SPAN_MS)}`, amount)
    add(windows, `${key} ${spanEnd(atMs, WINDOW_MS)}`, amount)
    add(totals, `${key} ${endMs}`, amount)
  }
  for (const [kind, groups] of [
    ['span', spans],
    ['window', windows],
    ['total', totals],
  ] as const)
    for (const [group, { n, sum }] of groups) lines.push(`${kind} ${group} ${n} ${sum}`)
  return lines.sort()
}

export const recordLine = (id: number, key: string): string => `record ${id} ${key}`

/** Above every time of the span. */
export const spanEnd = (atMs: number, lengthMs: number): number => (Math.floor(atMs / lengthMs) + 1) * lengthMs

interface Sums {
  n: number
  sum: number
}

function add(groups: Map<string, Sums>, group: string, amount: number): void {
  const sums = groups.get(group) ?? { n: 0, sum: 0 }
  sums.n++
  sums.sum += amount
  groups.set(group, sums)
}

/** How two sorted lists of lines differ: what is wanted and not there, what is there too often or not wanted. */
export function compareLines(found: readonly string[], wanted: readonly string[]): { lost: string[]; extra: string[] } {
  const lost: string[] = []
  const extra: string[] = []
  let f = 0
  let w = 0
  while (f < found.length || w < wanted.length) {
    if (found[f] === wanted[w]) {
      f++
      w++
    } else if (w >= wanted.length || (f < found.length && found[f]! < wanted[w]!)) extra.push(found[f++]!)
    else lost.push(wanted[w++]!)
  }
  return { lost, extra }
}
