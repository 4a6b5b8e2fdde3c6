/** The command as a user runs it: a process with arguments, output and an exit code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const command = fileURLToPath(new URL('./main.ts', import.meta.url))
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-cli-'))
  write(
    'words.ts',
    `import type { StreamExecutionEnvironment } from 'tailrace'
     export default async function main(env: StreamExecutionEnvironment) {
       console.log(JSON.stringify([env.args, env.parameters]))
       env.fromData('to be', 'or not').flatMap((line) => line.split(' ')).map((w) => w.toUpperCase()).print()
       await env.execute('words')
       console.log('main ends')
     }`,
  )
  write(
    'endless.ts',
    `import type { StreamExecutionEnvironment } from 'tailrace'
     export default async function main(env: StreamExecutionEnvironment) {
       env.fromSequence(1, 1e15).filter((n) => n % 1e6 === 0).print()
       try { await env.execute('endless') } finally { console.log('cleaned up') }
     }`,
  )
  write(
    'broken.ts',
    `import type { StreamExecutionEnvironment } from 'tailrace'
     export default async function main(env: StreamExecutionEnvironment) {
       env.fromData([{}] as { a?: { b: number } }[])
         .map((row) => row.a!.b)
         .name('take b')
         .print()
       await env.execute('broken')
     }`,
  )
})
afterAll(() => rmSync(dir, { recursive: true }))

function write(name: string, text: string): void {
  writeFileSync(join(dir, name), text)
}

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function start(args: string[]): {
  child: ChildProcess
  ended: Promise<Ended>
  saw(text: string): Promise<void>
  stderr(): string
} {
  const child = spawn(process.execPath, [command, ...args], { cwd: dir, env: { ...process.env, NO_COLOR: '1' } })
  const out = { stdout: '', stderr: '' }
  const waiting: { text: string; resolve: () => void }[] = []
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      out[name] += text
      for (const wait of waiting) if (`${out.stdout}\n${out.stderr}`.includes(wait.text)) wait.resolve()
    })
  // Node says so of a thread that is ended while coverage is measured.
  const ofCoverage = 'Failed to stringify coverage profile result\n'
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout: out.stdout, stderr: out.stderr.replaceAll(ofCoverage, '') })),
  )
  const saw = (text: string) => new Promise<void>((resolve) => waiting.push({ text, resolve }))
  return { child, ended, saw, stderr: () => out.stderr }
}

const tailrace = (...args: string[]) => start(args).ended

describe('tailrace run', () => {
  it('runs a job: its output on stdout, two lines about it on stderr, exit code 0', async () => {
    const args = ['words.ts', '--by', '5', 'more', '--no-web', '--metrics-port', '0', '-p', '1', '--', '--port', 'x']
    const { code, stdout, stderr } = await tailrace('run', ...args)
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^▶ words {2}Ctrl-C cancels$/),
      expect.stringMatching(/^✔ words finished in \d+\.\d s: 2 records in, [\d,]+ a second$/),
      '',
    ])
    expect(stdout.split('\n')).toEqual([
      '[["--by","5","more","--port","x"],{"by":"5","port":"x"}]',
      'TO',
      'BE',
      'OR',
      'NOT',
      'main ends',
      '',
    ])
    expect(code).toBe(0)
  })

  it('serves REST, the page and metrics, and says where', async () => {
    const { child, ended, saw } = start(['run', 'endless.ts', '--port', '0', '--metrics-port', '0'])
    let stderr = ''
    child.stderr!.on('data', (text: string) => {
      stderr += text
    })
    await saw('Ctrl-C')
    const [, base, jobId] = /(http:\/\/localhost:\d+)\/#\/jobs\/([0-9a-f]{32})/.exec(stderr)!
    const overview = (await (await fetch(`${base}/jobs/overview`)).json()) as { jobs: { jid: string; state: string }[] }
    expect(overview.jobs).toMatchObject([{ jid: jobId, state: 'RUNNING' }])
    await fetch(`${base}/jobs/${jobId}?mode=cancel`, { method: 'PATCH' })
    const { code, stdout } = await ended
    expect([code, stdout.includes('cleaned up')]).toEqual([130, true])
  })

  it('is stopped with a savepoint from another terminal, and another run goes on from there', async () => {
    write(
      'counts.ts',
      `import type { StreamExecutionEnvironment } from 'tailrace'
       import { dataGenSource } from 'tailrace/connectors/datagen'
       import { WatermarkStrategy } from 'tailrace'
       export default async function main(env: StreamExecutionEnvironment) {
         const source = dataGenSource({ generate: (i) => i, recordsPerSecond: 1000 })
         env.fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers').uid('numbers')
           .map(() => 1).keyBy(() => 'all').sum().uid('count').print()
         await env.execute('counts')
       }`,
    )
    const args = ['run', 'counts.ts', '-p', '1', '--port', '0', '--metrics-port', '0']
    const first = start(args)
    await first.saw('\n100\n')
    const address = ['--address', /http:\/\/(localhost:\d+)/.exec(first.stderr())![1]!]
    const listed = await tailrace('list', '--json', ...address)
    expect(JSON.parse(listed.stdout).jobs).toMatchObject([{ jobName: 'counts', status: 'RUNNING' }])
    const stopped = await tailrace('stop', 'counts', '-p', 'savepoints', ...address)
    expect([stopped.code, stopped.stderr]).toEqual([0, ''])
    const path = /^✔ stopped "counts" with a savepoint: (.*)$/m.exec(stopped.stdout)![1]!
    expect(path.startsWith(join(dir, 'savepoints', 'savepoint-'))).toBe(true)
    const { code, stdout } = await first.ended
    expect(code).toBe(0)
    const counted = Number(stdout.trim().split('\n').at(-1))
    const second = start([...args, '-s', path])
    await second.saw(`${counted + 100}\n`)
    const next = ['--address', /http:\/\/(localhost:\d+)/.exec(second.stderr())![1]!]
    expect(await tailrace('cancel', 'counts', ...next)).toMatchObject({ code: 0, stdout: '✔ cancelled "counts"\n' })
    expect((await second.ended).stdout.split('\n')[0]).toBe(String(counted + 1))
  })

  it('fails with the operator and the user’s line, exit code 1', async () => {
    const { code, stderr } = await tailrace('run', 'broken.ts', '--no-web', '--metrics-port', '0')
    expect(code).toBe(1)
    expect(stderr).toContain('TR-TASK-001 in operator "take b"')
    expect(stderr).toContain('  at broken.ts:4:')
    expect(stderr).toContain('  4 | .map((row) => row.a!.b)')
    expect(stderr).not.toContain('runtime/')
  })

  it('cancels on the first signal and lets main clean up, exit code 130', async () => {
    const { child, ended, saw } = start(['run', 'endless.ts', '--no-web', '--metrics-port', '0'])
    await saw('Ctrl-C')
    child.kill('SIGINT')
    const { code, stdout, stderr } = await ended
    expect([code, stdout.includes('cleaned up')]).toEqual([130, true])
    expect(stderr).toMatch(/■ cancelling … \(again to stop at once\)\n■ cancelled\n$/)
  })

  it('ends at once on the second signal', async () => {
    write(
      'stuck.ts',
      `import type { StreamExecutionEnvironment } from 'tailrace'
       export default async function main(env: StreamExecutionEnvironment) {
         env.fromData(1).map(() => { for (;;); }).print()
         await env.execute('stuck')
       }`,
    )
    const { child, ended, saw } = start(['run', 'stuck.ts', '--no-web', '--metrics-port', '0'])
    await saw('Ctrl-C')
    child.kill('SIGTERM')
    await saw('cancelling')
    child.kill('SIGTERM')
    expect((await ended).code).toBe(130)
  })

  it('ends quietly when nobody reads its output', async () => {
    const { child, ended, saw } = start(['run', 'endless.ts', '--no-web', '--metrics-port', '0'])
    await saw('1000000')
    child.stdout!.destroy()
    const { code, stderr } = await ended
    expect([code, stderr.includes('EPIPE')]).toEqual([141, false])
  })

  it('says which port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const port = String((other.address() as AddressInfo).port)
    const { code, stderr } = await tailrace('run', 'endless.ts', '--no-web', '--metrics-port', port)
    other.close()
    expect([code, stderr.includes(`TR-CLUSTER-003: Cannot listen on port ${port}`)]).toEqual([1, true])
  })

  it.each([
    [['run', 'nowhere.ts'], 'TR-CLI-001', 'nowhere.ts'],
    [['run', '.'], 'TR-CLI-001', 'wanted a .ts'],
    [['run', 'words.ts', '-p', '0'], 'TR-CLI-001', '--parallelism'],
    [['run', 'words.ts', '-D', 'novalue'], 'TR-CLI-001', 'key=value'],
    [['run', 'words.ts', '-D', 'parallelism.default=x'], 'TR-CONFIG-001', 'parallelism.default'],
    [['run', 'words.ts', '--config-dir', 'nowhere'], 'TR-CONFIG-002', 'nowhere'],
    [['run'], 'error: missing required argument', 'job'],
    [['rnu'], "error: unknown command 'rnu'", 'Did you mean run?'],
  ])('%j is wrong usage', async (args, ...texts) => {
    const { code, stdout, stderr } = await tailrace(...args)
    expect([code, stdout]).toEqual([2, ''])
    for (const text of texts) expect(stderr).toContain(text)
  })
})

describe('configuration', () => {
  it('comes from the directory that is named, and mistakes in it are told', async () => {
    mkdirSync(join(dir, 'deploy'))
    write(
      'deploy/config.yaml',
      'pipeline:\n  name: named\nrestart-strategy.typ: none\nenv.java.home: /x\nweb.port: 0\nmetrics.reporter.prom.port: 0\n',
    )
    write(
      'unnamed.ts',
      `import type { StreamExecutionEnvironment } from 'tailrace'
       export default async function main(env: StreamExecutionEnvironment) {
         env.fromData(1).print()
         await env.execute()
       }`,
    )
    const { code, stdout, stderr } = await tailrace('run', 'unnamed.ts', '--config-dir', 'deploy', '-p', '1')
    expect([code, stdout]).toEqual([0, '1\n'])
    const path = join(dir, 'deploy/config.yaml')
    expect(stderr).toContain(`! restart-strategy.typ (${path}:3) is not known: is restart-strategy.type meant?\n`)
    expect(stderr).toContain('▶ named')
    expect(stderr).not.toContain('env.java.home')
  })
})

describe('tailrace', () => {
  it('prints help and version', async () => {
    const help = await tailrace('help', 'run')
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('Exit codes:')])
    expect(help.stdout.split('\n').every((line) => line.length <= 110)).toBe(true)
    expect(await tailrace('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect((await tailrace()).code).toBe(2)
  })
})
