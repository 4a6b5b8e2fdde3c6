import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const SCRIPT = `
import { commandLine, wholeNumber, wordsOf } from ${JSON.stringify(new URL('./command-line.ts', import.meta.url).href)}
const { values, positionals } = commandLine('Usage: it [options]', {
  allowPositionals: true,
  options: { runs: { type: 'string', default: '10' }, kind: { type: 'string' } },
})
console.log(wholeNumber('--runs', values.runs, 1), wordsOf('--kind', values.kind, ['a', 'b']).join('+'), positionals.join('+'))`

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const evaluated = ['--input-type=module-typescript', '--no-warnings', '-e', SCRIPT, '--', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, evaluated, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test.each<[string[], { status: number; stdout?: string; stderr?: string }]>([
  [[], { status: 0, stdout: '10 a+b \n' }],
  [['--runs', '3', 'x', '--kind', 'b, a'], { status: 0, stdout: '3 b+a x\n' }],
  [['--help'], { status: 0, stdout: 'Usage: it [options]\n' }],
  [['-h', '--runs', 'none'], { status: 0, stdout: 'Usage: it [options]\n' }],
  [['--rums', '3'], { status: 2, stderr: "Cannot run: Unknown option '--rums'\n\nUsage: it [options]\n" }],
  [['--runs', '0'], { status: 2, stderr: 'Cannot run: --runs 0: a whole number from 1 is wanted\n' }],
  [['--runs', ''], { status: 2, stderr: 'Cannot run: --runs : a whole number from 1 is wanted\n' }],
  [['--kind', 'a,c'], { status: 2, stderr: 'Cannot run: --kind c: there is none of that name, wanted: a, b\n' }],
])('%j', (args, { status, stdout = '', stderr = '' }) => {
  expect(run(...args)).toEqual({ status, stdout, stderr })
})
