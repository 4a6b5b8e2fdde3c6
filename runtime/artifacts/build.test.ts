import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BuildOptions, buildArtifact } from './build.ts'
import { recordOf } from './built-for.ts'
import { unpack } from './unpack.ts'

let dir: string
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'tailrace-build-')))
})
afterEach(() => rmSync(dir, { recursive: true }))

function write(path: string, text: string): string {
  const file = join(dir, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}
const packageOf = (name: string, files: Record<string, string>, manifest: object = {}, at = 'app/node_modules') => {
  write(`${at}/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js', ...manifest }))
  for (const [path, text] of Object.entries(files)) write(`${at}/${name}/${path}`, text)
}
const build = (job: string, options: Partial<BuildOptions> = {}) =>
  buildArtifact({ job: join(dir, job), outDir: join(dir, 'dist'), version: '1.2.3', ...options })
const contents = async (archive: string) => {
  const into = mkdtempSync(join(dir, 'unpacked-'))
  const hashes = await unpack(archive, into, archive, { unpackedMax: 1e9, filesMax: 10_000 })
  return { into, files: Object.keys(hashes) }
}
/** What a module exports when Node alone loads it. */
function load(file: string, name: string): unknown {
  const code = `import { ${name} } from ${JSON.stringify(pathToFileURL(file).href)}; console.log(JSON.stringify(${name}))`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

describe('buildArtifact()', () => {
  it('makes one module of the job and its packages, and leaves the library outside', async () => {
    write('app/helper.ts', 'export enum Color { Red = "red" }')
    packageOf('esm', { 'index.js': 'export const three = 3' }, { type: 'module' })
    packageOf('cjs', {
      'index.js': "exports.sep = require('path').sep; exports.own = require('./own')",
      'own.js': 'module.exports = 4',
    })
    write(
      'app/job.ts',
      `import { TailraceError } from 'tailrace'
       import type { State } from 'tailrace/state'
       import { ManualClock } from 'tailrace/testing'
       import { Color } from './helper'
       import { three } from 'esm'
       import cjs from 'cjs'
       export const parts = [Color.Red, three, cjs.sep, cjs.own]
       export const library = () => [TailraceError, ManualClock]`,
    )
    const built = await build('app/job.ts')
    expect(built).toMatchObject({ path: join(dir, 'dist/job.mjs'), packages: [], version: '1.2.3' })
    const code = readFileSync(built.path, 'utf8')
    expect(built.size).toBe(code.length)
    expect(built.sha256).toBe(createHash('sha256').update(code).digest('hex'))
    expect(await recordOf(built.path)).toEqual({ builtFor: '1.2.3', entry: 'job.ts' })
    expect([...code.matchAll(/from "(tailrace[^"]*)"/g)].map(([, name]) => name)).toEqual([
      'tailrace',
      'tailrace/testing',
    ])
    const library = { 'index.mjs': 'export class TailraceError {}', 'testing.mjs': 'export class ManualClock {}' }
    const exports = { '.': './index.mjs', './testing': './testing.mjs' }
    packageOf('tailrace', library, { exports }, 'dist/node_modules')
    expect(load(built.path, 'parts')).toEqual(['red', 3, '/', 4])
  })

  it('gives equal bytes for equal input, wherever it lies', async () => {
    const project = (at: string) => {
      write(`${at}/package.json`, '{}')
      write(`${at}/src/job.ts`, `import dep from 'dep'\nimport native from 'native'\nexport const a = [dep, native]`)
      packageOf('dep', { 'index.js': 'module.exports = 1' }, {}, `${at}/node_modules`)
      packageOf('native', { 'index.js': 'module.exports = 2', 'a/b.txt': 'x' }, { gypfile: true }, `${at}/node_modules`)
      return build(`${at}/src/job.ts`, { outDir: join(dir, `dist-${at.replace('/', '-')}`) })
    }
    const [one, two] = [await project('here'), await project('somewhere/else')]
    expect(two.sha256).toBe(one.sha256)
    expect(two.path).not.toBe(one.path)
    expect((await project('here')).sha256).toBe(one.sha256)
    const { into } = await contents(one.path)
    expect(readFileSync(join(into, 'job.mjs'), 'utf8')).not.toContain(dir)
    write('here/node_modules/native/a/b.txt', 'y')
    expect((await build('here/src/job.ts')).sha256).not.toBe(one.sha256)
  })

  it('carries packages with native parts and what they need, each version once', async () => {
    write('app/job.ts', `import native from 'native'\nimport plain from 'plain'\nexport const found = [native, plain]`)
    packageOf('plain', { 'index.js': 'module.exports = "plain"' })
    packageOf(
      'native',
      { 'index.js': `module.exports = [require('needed'), require('old')]`, 'lib/x.node': 'elf' },
      { dependencies: { needed: '*', old: '*', 'node-gyp-build': '*' }, peerDependencies: { tailrace: '*' } },
    )
    packageOf('node-gyp-build', { 'index.js': '' })
    packageOf('needed', { 'index.js': `module.exports = 'needs ' + require('old')` }, { dependencies: { old: '*' } })
    packageOf('old', { 'index.js': 'module.exports = "old 2"' }, { version: '2.0.0' })
    packageOf('old', { 'index.js': 'module.exports = "old 1"' }, {}, 'app/node_modules/native/node_modules')
    packageOf('tailrace', { 'index.js': '' })
    const built = await build('app/job.ts')
    expect(built.path).toBe(join(dir, 'dist/job.tgz'))
    expect(built.packages.toSorted()).toEqual([
      'native@1.0.0',
      'needed@1.0.0',
      'node-gyp-build@1.0.0',
      'old@1.0.0',
      'old@2.0.0',
    ])
    const { into, files } = await contents(built.path)
    expect(files).toContain('node_modules/native/lib/x.node')
    expect(files.filter((file) => file.includes('tailrace'))).toEqual([])
    expect(JSON.parse(readFileSync(join(into, 'package.json'), 'utf8'))).toMatchObject({
      main: 'job.mjs',
      tailrace: { builtFor: '1.2.3', entry: 'job.mjs' },
    })
    expect(load(join(into, 'job.mjs'), 'found')).toEqual([['needs old 2', 'old 1'], 'plain'])
  })

  it('carries what a job really uses: a driver with a binary of this machine', async () => {
    mkdirSync(join(dir, 'app'))
    symlinkSync(join(import.meta.dirname, '../../node_modules'), join(dir, 'app/node_modules'))
    write(
      'app/job.ts',
      `import { compressSync } from 'lz4-napi'\nexport const size = compressSync(Buffer.alloc(1000)).length`,
    )
    const built = await build('app/job.ts')
    expect(built.packages).toEqual(expect.arrayContaining([expect.stringMatching(/^lz4-napi@/)]))
    const { into } = await contents(built.path)
    expect(load(join(into, 'job.mjs'), 'size')).toBeLessThan(100)
  })

  it('carries packages that are named, and makes a package when asked to', async () => {
    write('app/job.ts', `import own from 'own'\nexport const found = own`)
    packageOf('own', { 'index.js': 'module.exports = __dirname.endsWith("node_modules/own")' })
    const built = await build('app/job.ts', { external: ['own'] })
    expect(load(join((await contents(built.path)).into, 'job.mjs'), 'found')).toBe(true)
    const plain = await build('app/job.ts', { package: true, out: join(dir, 'x/plain.tar.gz') })
    expect((await contents(plain.path)).files).toEqual(['job.mjs', 'package.json'])
  })

  it('keeps paths of any length', async () => {
    const deep = `${'deep/'.repeat(30)}${'x'.repeat(120)}.js`
    write('app/job.ts', `import own from 'own'\nexport const found = own`)
    packageOf('own', { 'index.js': `module.exports = require('./${deep}')`, [deep]: 'module.exports = "far"' })
    const { path } = await build('app/job.ts', { external: ['own'] })
    expect(load(join((await contents(path)).into, 'job.mjs'), 'found')).toBe('far')
  })

  it.each<[string, string, Partial<BuildOptions>, RegExp]>([
    ['a syntax error', 'export const a = ;', {}, /Unexpected ";" at job\.ts:1:18/],
    ['an import of nothing', "import './nowhere'", {}, /Could not resolve "\.\/nowhere" at job\.ts:1:/],
    ['a package that is not there', "import 'nowhere'", {}, /Could not resolve "nowhere"/],
    ['a native module of its own', "import './own.node'", {}, /native module of its own/],
    ['an output of another kind', '', { out: '/tmp/job.zip' }, /ends in \.mjs or \.tgz/],
    ['a module where a package is needed', '', { out: '/tmp/job.mjs', package: true }, /--package.*\.tgz/],
  ])('refuses %s', async (_, text, options, message) => {
    write('app/package.json', '{}')
    write('app/own.node', '')
    write('app/job.ts', text)
    await expect(build('app/job.ts', options)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-010',
      message: expect.stringMatching(message),
    })
  })

  it('does not write over the job', async () => {
    const job = write('app/job.mjs', 'export const a = 1')
    await expect(build('app/job.mjs', { out: job })).rejects.toMatchObject({ code: 'TR-ARTIFACT-010' })
    expect(readFileSync(job, 'utf8')).toBe('export const a = 1')
  })

  it('says where it cannot write', async () => {
    const job = write('app/job.mjs', 'export const a = 1')
    await expect(build('app/job.mjs', { outDir: job })).rejects.toMatchObject({ code: 'TR-ARTIFACT-012' })
  })
})
