/** `tailrace build`, and `tailrace run` of what it has built, as a user runs them. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const command = fileURLToPath(new URL('./main.ts', import.meta.url))
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-artifacts-'))
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(dir, 'node_modules'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true })
  writeFileSync(join(dir, path), text)
}

async function tailrace(...args: string[]) {
  const child = spawn(process.execPath, [command, ...args], { cwd: dir, env: { ...process.env, NO_COLOR: '1' } })
  const out = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (out[name] += chunk))
  const [code] = await once(child, 'close')
  return { code, ...out }
}
const run = (job: string, ...args: string[]) =>
  tailrace('run', job, '--no-web', '-p', '1', '-D', `user.artifacts.base-dir=${join(dir, 'cache')}`, ...args)

it('builds a package with a native driver, which runs from its archive and over HTTP', async () => {
  write(
    'src/size.ts',
    `import { compressSync } from 'lz4-napi'\nexport const size = (n: number) => compressSync(Buffer.alloc(n)).length < n`,
  )
  write(
    'src/job.ts',
    `import type { StreamExecutionEnvironment } from 'tailrace'
     import { size } from './size'
     export default async function main(env: StreamExecutionEnvironment) {
       console.log('in main')
       env.fromData(100, 200).map((n) => n + ':' + size(n) + ':' + env.parameters.name).print()
       await env.execute('sizes')
     }`,
  )
  const built = await tailrace('build', 'src/job.ts', '--json')
  expect(built).toMatchObject({ code: 0, stderr: '' })
  const { path, sha256, packages, planHash } = JSON.parse(built.stdout)
  expect(path).toMatch(/dist\/job\.tgz$/)
  expect(packages.join()).toContain('lz4-napi@')
  expect(planHash).toMatch(/^\w{64}$/)
  const bytes = readFileSync(path)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)

  const local = await run('dist/job.tgz', '--name', 'ann')
  expect(local).toMatchObject({ code: 0, stdout: 'in main\n100:true:ann\n200:true:ann\n' })

  const server = createServer((_, response) => response.end(bytes)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/job.tgz#sha256=${sha256}`
    rmSync(join(dir, 'cache'), { recursive: true })
    const refused = await run(url)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('TR-ARTIFACT-002')
    const allowed = ['-D', 'user.artifacts.raw-http-enabled=true', '-D', 'tailrace.artifacts.allowed-hosts=127.0.0.1']
    expect(await run(url, ...allowed, '--name', 'bob')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('200:true:bob'),
    })
  } finally {
    server.close()
  }
}, 60_000)

it('finds at build time that a job cannot be loaded, or is another one each time', async () => {
  write('throws.ts', `export default async function main() { throw new Error('no input') }`)
  const thrown = await tailrace('build', 'throws.ts')
  expect(thrown.code).toBe(1)
  expect(thrown.stderr).toMatch(/TR-PROGRAM-002.*no input/s)
  expect(await tailrace('build', 'throws.ts', '--no-check')).toMatchObject({ code: 0, stderr: '' })
  write(
    'random.ts',
    `export default async function main(env) {
       env.fromData(1).map((n) => n).name('map ' + Math.random()).print()
       await env.execute()
     }`,
  )
  const random = await tailrace('build', 'random.ts', '-o', 'random.mjs')
  expect(random.code).toBe(1)
  expect(random.stderr).toMatch(/TR-PROGRAM-001.*random\.mjs.*another graph each time/s)
}, 60_000)

it('says what it cannot run', async () => {
  write('job.sql', 'SELECT 1')
  expect(await run('job.sql')).toMatchObject({ code: 2, stderr: expect.stringContaining('TR-ARTIFACT-011') })
  expect(await run('none.tgz')).toMatchObject({ code: 1, stderr: expect.stringContaining('TR-ARTIFACT-004') })
  expect(await run('ftp://host/job.mjs')).toMatchObject({ code: 2, stderr: expect.stringContaining('TR-ARTIFACT-001') })
  expect(await tailrace('build', 'none.ts')).toMatchObject({ code: 2, stderr: expect.stringContaining('TR-CLI-001') })
}, 60_000)
