import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { executableOffsets, markRun, merge, report } from './coverage.ts'

/** Lines of `source`, from 1, that count. */
function linesOf(source: string): number[] {
  return executableOffsets('a.ts', source).map((offset) => source.slice(0, offset).split('\n').length)
}

describe('executableOffsets()', () => {
  test('leaves out comments, types, imports, declarations and brackets', () => {
    const source = [
      '/** A comment. */', // 1
      `import { a } from 'a'`,
      'export interface I {',
      '  x: number',
      '}',
      'type T = () => void', // 6
      'declare const d: number',
      '',
      'export function f(x: number): number {',
      '  let y: number', // 10
      '  const z = x + 1', // 11
      '  if (x > 1) {', // 12
      '    return z', // 13
      '  }',
      '  // nothing',
      '  return a(', // 16
      '    z,',
      '  )',
      '}',
      'export class C {', // 20
      '  declare e: string',
      '  f: number',
      '  g = 1', // 23
      '  h() {}',
      '}',
      'export const k = (x: number) =>', // 26
      '  x + 1', // 27
      `export * from 'b'`,
    ]
    expect(linesOf(source.join('\n'))).toEqual([11, 12, 13, 16, 23, 26, 27])
  })

  test('a file of types has none', () => expect(linesOf('export type A = 1\nexport interface B {}')).toEqual([]))
})

test('markRun() lets the innermost range decide and never unmarks what another copy ran', () => {
  const run = new Uint8Array(4)
  const outer = { startOffset: 0, endOffset: 100, count: 1 }
  const inner = { startOffset: 20, endOffset: 60, count: 0 }
  const nested = { startOffset: 40, endOffset: 50, count: 3 }
  markRun([10, 30, 45, 70], run, [{ ranges: [nested] }, { ranges: [outer, inner] }])
  expect([...run]).toEqual([1, 0, 1, 1])
  markRun([10, 30, 45, 70], run, [{ ranges: [{ ...outer, count: 0 }] }])
  expect([...run]).toEqual([1, 0, 1, 1])
})

describe('merge()', () => {
  let dir: string
  let module: string
  const source = [
    'export interface Sized { size: number }',
    'export function grade(x: Sized): string {',
    `  if (x.size > 10) return 'big'`,
    '  if (x.size > 5) {',
    `    return 'middle'`,
    '  }',
    `  return 'small'`,
    '}',
    'export function never(): void {',
    '  throw new Error()',
    '}',
  ].join('\n')

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'tailrace-coverage-test-'))
    module = join(dir, 'grade.ts')
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
    writeFileSync(module, source)
    const main = [
      `import { Worker } from 'node:worker_threads'`,
      `import { grade } from './grade.ts'`,
      `grade({ size: 11 })`,
      `(await import('./grade.ts?n=1')).grade({ size: 1 })`,
      `if (process.argv[2]) new Worker(new URL('./worker.ts', import.meta.url))`,
    ]
    writeFileSync(join(dir, 'main.ts'), main.join('\n').replaceAll('\n(', '\n;('))
    writeFileSync(join(dir, 'worker.ts'), `const m = await import('./grade.ts?n=2'); m.grade({ size: 6 })`)
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  /** Runs main.ts for real and merges what its process and threads wrote. */
  function measured(...args: string[]) {
    const raw = mkdtempSync(join(dir, 'raw-'))
    const env = { ...process.env, NODE_V8_COVERAGE: raw }
    execFileSync(process.execPath, [join(dir, 'main.ts'), ...args], { env, stdio: 'inherit' })
    const raws = readdirSync(raw).map((name) => JSON.parse(readFileSync(join(raw, name), 'utf8')))
    return merge(new Map([[module, source]]), raws)
  }

  test('joins a module and its copies', () => {
    expect(measured()).toEqual([{ path: module, covered: 3, missed: [5, 10] }])
  })

  test('joins worker threads', () => {
    expect(measured('with worker')).toEqual([{ path: module, covered: 4, missed: [10] }])
  })

  test('counts a file that nothing loaded', () => {
    expect(merge(new Map([[module, source]]), [])).toEqual([{ path: module, covered: 0, missed: [3, 4, 5, 7, 10] }])
  })
})

test('report() sums by folder, names what is missed, and leaves files of types out', () => {
  const { lines, text } = report([
    { path: 'runtime/core/a.ts', covered: 6, missed: [1, 2, 9] },
    { path: 'runtime/core/b.ts', covered: 1, missed: [] },
    { path: 'runtime/graph/types.ts', covered: 0, missed: [] },
  ])
  expect(lines).toBe(0.7)
  expect(text).toContain('runtime/core  70.0 %       7 of 10')
  expect(text).toContain('runtime/core/a.ts: 1-2 9')
  expect(text).not.toContain('runtime/graph')
})
