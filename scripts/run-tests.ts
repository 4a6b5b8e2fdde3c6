/**
 * Runs vitest in a process of its own, shows what it prints, and counts: the gate's last line is made of these counts.
 *
 * A file that cannot be loaded, an error outside a test and a run without tests are failures too, though vitest counts no
 * failed test for them. With TAILRACE_REQUIRE_ALL set (.ci/run) a skipped test counts as failed: skips are for machines that
 * lack a component, and there none may be lacking.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

export interface Counts {
  passed: number
  failed: number
  /** Names of the tests that did not run. */
  skipped: string[]
}

export interface TestRun {
  /** Where every process writes raw V8 coverage (scripts/coverage.ts); none is written without it. */
  coverageDir?: string
  /** More arguments of vitest. */
  args?: readonly string[]
}

/** The part of vitest's JSON report that is read here. */
interface VitestReport {
  testResults: {
    name: string
    status: string
    assertionResults: { fullName: string; status: 'passed' | 'failed' | 'pending' | 'skipped' | 'todo' | 'disabled' }[]
  }[]
}

const root = dirname(import.meta.dirname)
const TIMEOUT_MS = 20 * 60_000

export async function runTests({ coverageDir, args = [] }: TestRun): Promise<Counts> {
  const dir = mkdtempSync(join(tmpdir(), 'tailrace-tests-'))
  const file = join(dir, 'report.json')
  try {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...(coverageDir && { NODE_V8_COVERAGE: coverageDir, NODE_DISABLE_COMPILE_CACHE: '1' }) },
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    const requireAll = process.env.TAILRACE_REQUIRE_ALL !== undefined
    const counts = count(readReport(file), code === 0, requireAll)
    if (counts.skipped.length > 0) {
      console.log(
        `${counts.skipped.length} skipped${requireAll ? ', and TAILRACE_REQUIRE_ALL counts them as failed' : ''}:`,
      )
      for (const name of counts.skipped) console.log(`  ${name}`)
    }
    return counts
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function readReport(file: string): VitestReport {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { testResults: [] }
  }
}

export function count({ testResults }: VitestReport, exitedWell: boolean, requireAll: boolean): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: [] }
  for (const { name, status, assertionResults } of testResults) {
    const failedBefore = counts.failed
    for (const test of assertionResults) {
      if (test.status === 'passed') counts.passed++
      else if (test.status === 'failed') counts.failed++
      else counts.skipped.push(`${relative(root, name)}: ${test.fullName}`)
    }
    if (status === 'failed' && counts.failed === failedBefore) counts.failed++
  }
  if (requireAll) counts.failed += counts.skipped.length
  if (counts.failed === 0 && (!exitedWell || counts.passed === 0)) counts.failed = 1
  return counts
}
