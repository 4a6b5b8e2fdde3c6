/**
 * The gate: every check a change has to pass, then one line that counts them. `npm test` runs it whole, `npm run ok` its quick
 * half (`--quick`: no slow tests, no thousand simulated clusters, no coverage, no package, no Kubernetes) in under a minute.
 *
 * The last line is always `N passed, N failed`, alone on its line, where N counts tests and steps; the exit code is 1 if
 * anything failed. A step's output is shown when it fails. Slow tests are files named `*.slow.test.ts`.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { measure } from './coverage.ts'
import { missingKafkaLab } from './lab/kafka.ts'
import { kubernetesRuns, missingKubernetes, stopKubernetes } from './lab/kubernetes.ts'
import { missingOwnS3 } from './lab/s3.ts'
import { runTests } from './run-tests.ts'

const root = dirname(import.meta.dirname)
const STEP_TIMEOUT_MS = 5 * 60_000
/** Of the scenarios on Kubernetes together, with building their images. */
const KUBERNETES_TIMEOUT_MS = 15 * 60_000
/** Of simulated clusters, about a minute on two cores. */
const SEEDS = 1000

interface Outcome {
  ok: boolean
  output: string
}

let passed = 0
let failed = 0

/** Runs one step, shows it as a line, and counts it. */
async function step(name: string, work: () => Promise<Outcome> | Outcome): Promise<boolean> {
  const startedMs = Date.now()
  const { ok, output } = await work()
  if (ok) passed++
  else failed++
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1)
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)${ok ? '' : `\n${output.trimEnd()}\n`}`)
  return ok
}

/** As {@link run}, for {@link step}. */
function program(file: string, ...args: string[]): () => Promise<Outcome> {
  return () => run(file, args, STEP_TIMEOUT_MS)
}

/** Runs a program of this checkout to its end. */
function run(file: string, args: readonly string[], timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...process.execArgv, join(root, file), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let output = ''
    child.stdout.on('data', (data) => (output += data))
    child.stderr.on('data', (data) => (output += data))
    child.once('close', (code, signal) => {
      if (signal) output += `\nStopped by ${signal}; it may take ${timeoutMs / 1000} s`
      resolve({ ok: code === 0, output })
    })
  })
}

async function gate(quick: boolean): Promise<void> {
  await Promise.all([
    step('types', program('node_modules/typescript/bin/tsc', '--noEmit')),
    step('lint and format', program('node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings')),
    step('import directions', program('scripts/check-imports.ts')),
    step('lock file', program('scripts/complete-lock.ts', '--check')),
    step('web page', program('scripts/web-build.ts', '--if-stale')),
  ])
  if (quick) {
    await tests({ args: ['--exclude', '**/*.slow.test.ts'] })
    return
  }
  const coverageDir = mkdtempSync(join(tmpdir(), 'tailrace-coverage-'))
  try {
    await tests({ coverageDir })
    await step('coverage', () => {
      const { ok, text } = measure(root, coverageDir)
      if (ok) console.log(`${text}\n`)
      return { ok, output: text }
    })
  } finally {
    rmSync(coverageDir, { recursive: true, force: true })
  }
  await step(`simulation: ${SEEDS} seeds`, program('scripts/simulate.ts', '--seeds', String(SEEDS)))
  const built = await step('build', program('scripts/build.ts'))
  for (const check of ['publint', 'attw', 'smoke']) {
    const name = `package: ${check}`
    if (built) await step(name, program('scripts/pack-smoke.ts', check))
    else await step(name, () => ({ ok: false, output: 'There is no build to check' }))
  }
  await kubernetes()
}

/** The core of the scenarios on a real Kubernetes; each counts. A cluster that did not run goes again. */
async function kubernetes(): Promise<void> {
  const missing = missingKubernetes() ?? missingKafkaLab() ?? missingOwnS3()
  if (missing !== undefined) {
    if (process.env.TAILRACE_REQUIRE_ALL) await step('Kubernetes', () => ({ ok: false, output: missing }))
    else console.log(`skipped Kubernetes: ${missing}`)
    return
  }
  const ran = kubernetesRuns()
  try {
    const { output } = await run('e2e/kubernetes/main.ts', ['--core'], KUBERNETES_TIMEOUT_MS)
    const counts = /^(\d+) passed, (\d+) failed$/m.exec(output)
    console.log(output.replace(counts?.[0] ?? '', '').trimEnd())
    passed += Number(counts?.[1] ?? 0)
    failed += Number(counts?.[2] ?? 1)
  } finally {
    if (!ran) stopKubernetes()
  }
}

async function tests(run: Parameters<typeof runTests>[0]): Promise<void> {
  const counts = await runTests(run)
  passed += counts.passed
  failed += counts.failed
}

try {
  await gate(process.argv.includes('--quick'))
} catch (error) {
  failed++
  console.error(error)
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
