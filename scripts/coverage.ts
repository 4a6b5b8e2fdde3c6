/**
 * Measures line coverage of runtime/ and operator/ from V8's own counters and fails under LINES_MIN.
 *
 * Why not the coverage of vitest: it sees the test process only. Slots are worker threads, operators are loaded as copies
 * (`map.ts?n=3`) and some tests start processes; NODE_V8_COVERAGE makes each of them write what it ran. Here the files of all
 * of them are merged by path, copies too: a line is covered if any process, thread or copy ran it.
 *
 * What must hold: sources run as they are written (type stripping keeps every offset), so a counter's range is a range of the
 * source. A line counts if a statement begins on it, or the value of a variable, a field or an arrow; so blank lines,
 * comments, types, imports and closing brackets never count. Files that no test loads count as not covered.
 *
 * `node scripts/coverage.ts [vitest arguments]` runs the tests and prints the table.
 */
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync, Visitor } from 'vite'
import { runTests } from './run-tests.ts'

export const LINES_MIN = 0.85

const SOURCES = '{runtime,operator}/**/*.ts'
const NOT_SOURCES = ['**/*.test.ts', '**/*.suite.ts', '**/*.d.ts', 'runtime/web/**']

/** A file of NODE_V8_COVERAGE, as far as it is read here. */
export interface RawCoverage {
  result: { url: string; functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[] }[]
}

export interface FileCoverage {
  /** From the checkout's root. */
  path: string
  covered: number
  /** Numbers of the lines that nothing ran, from 1. */
  missed: number[]
}

/** Offsets at which something is executed; the first of each line stands for its line. */
export function executableOffsets(path: string, source: string): number[] {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new SyntaxError(`Cannot measure ${path}: ${errors[0].message}`)
  const found: number[] = []
  const statement = ({ start }: { start: number }) => void found.push(start)
  const partOf = (key: string) => (node: any) => {
    if (node[key] && !node.declare) found.push(node[key].start)
  }
  new Visitor({
    ExpressionStatement: statement,
    ReturnStatement: statement,
    IfStatement: statement,
    ForStatement: statement,
    ForInStatement: statement,
    ForOfStatement: statement,
    WhileStatement: statement,
    DoWhileStatement: statement,
    SwitchStatement: statement,
    ThrowStatement: statement,
    TryStatement: statement,
    BreakStatement: statement,
    ContinueStatement: statement,
    VariableDeclarator: partOf('init'),
    PropertyDefinition: partOf('value'),
    ExportDefaultDeclaration: ({ declaration }: any) => {
      if (!/Declaration$/.test(declaration.type)) found.push(declaration.start)
    },
    ArrowFunctionExpression: ({ body }: any) => {
      if (body.type !== 'BlockStatement') found.push(body.start)
    },
  }).visit(program)
  found.sort((a, b) => a - b)
  const lineOf = lineNumbers(source)
  return found.filter((offset, i) => i === 0 || lineOf(offset) !== lineOf(found[i - 1]))
}

/** Gives the line of an offset, from 1. */
function lineNumbers(source: string): (offset: number) => number {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (starts[middle] <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/**
 * Marks the offsets that one script's counters say were run. Ranges nest: the innermost one around an offset decides, and V8
 * lists outer ranges first, functions by where they begin.
 */
export function markRun(
  offsets: readonly number[],
  run: Uint8Array,
  functions: RawCoverage['result'][0]['functions'],
): void {
  const ranges = functions.flatMap((f) => f.ranges)
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  const innermost = new Float64Array(offsets.length)
  for (const { startOffset, endOffset, count } of ranges) {
    for (let i = lowerBound(offsets, startOffset); i < offsets.length && offsets[i] < endOffset; i++)
      innermost[i] = count
  }
  for (let i = 0; i < offsets.length; i++) if (innermost[i] > 0) run[i] = 1
}

function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Merges raw coverage by path: `sources` maps absolute paths to their text. */
export function merge(sources: ReadonlyMap<string, string>, raws: Iterable<RawCoverage>): FileCoverage[] {
  const files = new Map<string, { offsets: number[]; run: Uint8Array }>()
  for (const [path, source] of sources) {
    const offsets = executableOffsets(path, source)
    files.set(path, { offsets, run: new Uint8Array(offsets.length) })
  }
  for (const { result } of raws) {
    for (const { url, functions } of result) {
      if (!url.startsWith('file:')) continue
      // Copies of hot modules, and mocks, differ in their query only.
      const file = files.get(fileURLToPath(url.replace(/[?#].*$/, '')))
      if (file) markRun(file.offsets, file.run, functions)
    }
  }
  return [...files].map(([path, { offsets, run }]) => {
    const lineOf = lineNumbers(sources.get(path)!)
    const missed = offsets.filter((_, i) => run[i] === 0).map(lineOf)
    return { path, covered: offsets.length - missed.length, missed }
  })
}

/** Table by folder, then the ten files that miss most. Files without executable lines (types only) are left out. */
export function report(files: readonly FileCoverage[]): { lines: number; text: string } {
  const folders = new Map<string, { covered: number; total: number }>()
  const all = { covered: 0, total: 0 }
  for (const { path, covered, missed } of files) {
    const folder = dirname(path)
    const row = folders.get(folder) ?? { covered: 0, total: 0 }
    folders.set(folder, row)
    for (const sum of [row, all]) {
      sum.covered += covered
      sum.total += covered + missed.length
    }
  }
  const percent = ({ covered, total }: { covered: number; total: number }) =>
    `${((100 * covered) / total).toFixed(1).padStart(5)} %  ${String(covered).padStart(6)} of ${total}`
  const rows = [...folders].filter(([, row]) => row.total > 0).sort(([a], [b]) => (a < b ? -1 : 1))
  const width = Math.max(6, ...rows.map(([folder]) => folder.length))
  const worst = files.filter((f) => f.missed.length > 0).sort((a, b) => b.missed.length - a.missed.length)
  const text = [
    ...rows.map(([folder, row]) => `${folder.padEnd(width)} ${percent(row)}`),
    `${'all'.padEnd(width)} ${percent(all)}`,
    ...(worst.length > 0 ? ['', 'Most lines missed:'] : []),
    ...worst.slice(0, 10).map((f) => `  ${f.path}: ${ranges(f.missed)}`),
  ]
  return { lines: all.total === 0 ? 0 : all.covered / all.total, text: text.join('\n') }
}

/** `1, 2, 3, 7` as `1-3 7`, cut where it gets long. */
function ranges(lines: readonly number[]): string {
  const parts: string[] = []
  for (let i = 0, from = 0; i < lines.length; i++) {
    if (lines[i + 1] <= lines[i] + 2) continue
    parts.push(from === i ? String(lines[i]) : `${lines[from]}-${lines[i]}`)
    from = i + 1
  }
  return parts.length > 12 ? `${parts.slice(0, 12).join(' ')} ... (${lines.length} lines)` : parts.join(' ')
}

/** Reads what the processes of a test run wrote into `dir` and says whether it is enough. */
export function measure(root: string, dir: string): { ok: boolean; text: string } {
  const paths = globSync(SOURCES, { cwd: root, exclude: NOT_SOURCES }).map((path) => join(root, path))
  const sources = new Map(paths.map((path) => [path, readFileSync(path, 'utf8')]))
  const files = merge(sources, readRaw(dir)).map((file) => ({
    ...file,
    path: relative(root, file.path).replaceAll('\\', '/'),
  }))
  const { lines, text } = report(files)
  const ok = lines >= LINES_MIN
  const verdict = `${(100 * lines).toFixed(2)} % of lines, wanted at least ${100 * LINES_MIN} %`
  return { ok, text: `${text}\n\nCoverage ${ok ? 'is enough' : 'is too low'}: ${verdict}` }
}

/** One at a time: hundreds of files of about 1 MB. A process killed while writing leaves half a file, which says nothing. */
function* readRaw(dir: string): Generator<RawCoverage> {
  for (const name of readdirSync(dir)) {
    let raw: RawCoverage
    try {
      raw = JSON.parse(readFileSync(join(dir, name), 'utf8'))
    } catch {
      continue
    }
    yield raw
  }
}

if (import.meta.main) {
  const root = dirname(import.meta.dirname)
  const coverageDir = mkdtempSync(join(tmpdir(), 'tailrace-coverage-'))
  try {
    const tests = await runTests({ coverageDir, args: process.argv.slice(2) })
    const { ok, text } = measure(root, coverageDir)
    console.log(`\n${text}`)
    if (!ok || tests.failed > 0) process.exitCode = 1
  } finally {
    rmSync(coverageDir, { recursive: true, force: true })
  }
}
