import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openObjectStore } from '../checkpoint/open-object-store.ts'
import { startToyS3 } from '../checkpoint/toy-s3.suite.ts'
import { systemSchedule } from '../core/clock.ts'
import { ca, resolver, serveBuilds } from './builds.suite.ts'
import { type ArtifactCache, openArtifactCache } from './cache.ts'
import { addArtifact, cachedArtifact, type FetchOptions, fetchArtifact } from './fetch-artifact.ts'
import { artifactSettings } from './settings.ts'
import { chunksOf, type TarEntry, tgz } from './tgz.suite.ts'

let dir: string
let cache: ArtifactCache
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-artifacts-'))
  cache = await openArtifactCache({ dir: join(dir, 'cache'), sizeMax: 1e9 })
})
afterEach(() => rmSync(dir, { recursive: true }))

const options = (configuration: Record<string, string> = {}, more: Partial<FetchOptions> = {}): FetchOptions => ({
  settings: artifactSettings(configuration),
  cache,
  version: '1.4.2',
  ...more,
})
const write = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}
const JOB = 'export default async (env) => {}\n'
const pack = (...more: TarEntry[]) => tgz(...more, { path: 'job.mjs', text: JOB })

describe('fetchArtifact()', () => {
  it('takes a file into the cache, once', async () => {
    const path = write('job.js', JOB)
    const one = await fetchArtifact(`file://${path}`, options())
    const two = await fetchArtifact(path, options())
    expect(one).toMatchObject({
      kind: 'module',
      name: 'job.js',
      size: JOB.length,
      shown: `file://${path}`,
      warnings: [],
    })
    expect(two.moduleUrl).toBe(one.moduleUrl)
    // Whatever package.json lies above it, it is an ES module.
    expect(one.moduleUrl).toBe(`file://${cache.dir}/${one.sha256}.mjs`)
    expect(readFileSync(fileURLToPath(one.moduleUrl), 'utf8')).toBe(JOB)
  })

  it('leaves a local module where it is', async () => {
    const path = write('job.ts', JOB)
    const artifact = await fetchArtifact(`local://${path}`, options())
    expect(artifact).toMatchObject({ kind: 'typescript', moduleUrl: `file://${path}`, size: JOB.length })
    await expect(fetchArtifact(`local://${path}#sha256=${'0'.repeat(64)}`, options())).rejects.toMatchObject({
      code: 'TR-ARTIFACT-005',
    })
    expect(await fetchArtifact(`local://${path}#sha256=${artifact.sha256}`, options())).toMatchObject({
      size: JOB.length,
    })
  })

  it.each(['file', 'local'])('says that a %s is not there', async (scheme) => {
    await expect(fetchArtifact(`${scheme}://${dir}/none.mjs`, options())).rejects.toMatchObject({
      code: 'TR-ARTIFACT-004',
      message: `Cannot read the artifact ${scheme}://${dir}/none.mjs: there is no such file`,
    })
    mkdirSync(join(dir, 'folder.mjs'))
    await expect(fetchArtifact(`${scheme}://${dir}/folder.mjs`, options())).rejects.toMatchObject({
      code: 'TR-ARTIFACT-004',
    })
  })

  it('does not fetch what it has by its hash', async () => {
    let asked = 0
    const builds = await serveBuilds(true, (_, response) => {
      asked++
      response.end(JOB)
    })
    try {
      const from = options(
        { 'tailrace.artifacts.allowed-hosts': 'builds.example' },
        { ca, resolve: resolver({ 'builds.example': '127.0.0.1' }) },
      )
      const url = `https://builds.example:${builds.port}/jobs/job.ts`
      const { sha256, path } = await fetchArtifact(url, from)
      await fetchArtifact(`${url}#sha256=${sha256}`, from)
      expect(asked).toBe(1)
      writeFileSync(path, 'damaged')
      expect(await fetchArtifact(url, { ...from, sha256 })).toMatchObject({ sha256, path })
      expect(readFileSync(path, 'utf8')).toBe(JOB)
      expect(asked).toBe(2)
      await expect(fetchArtifact(url, { ...from, sha256: 'ab'.repeat(32) })).rejects.toMatchObject({
        code: 'TR-ARTIFACT-005',
        message: expect.stringContaining(url),
      })
      await expect(
        fetchArtifact(`${url}#sha256=${sha256}`, { ...from, sha256: 'ab'.repeat(32) }),
      ).rejects.toMatchObject({ code: 'TR-ARTIFACT-001' })
    } finally {
      await builds.close()
    }
  })

  it('reads objects of S3, in one piece each', async () => {
    const s3 = await startToyS3()
    try {
      const big = Buffer.alloc(5 * 2 ** 20, 'x')
      s3.objects.set('jobs/job.mjs', Buffer.from(JOB))
      s3.objects.set('jobs/big.mjs', big)
      const configuration = {
        's3.endpoint': s3.endpoint,
        's3.access-key': s3.accessKeyId,
        's3.secret-key': s3.secretAccessKey,
      }
      const openStore = (place: string) =>
        openObjectStore(place, {
          configuration,
          environment: {},
          random: () => 0,
          schedule: systemSchedule,
          warn: () => {},
        })
      const from = options({}, { openStore })
      expect(await fetchArtifact('s3://toy/jobs/job.mjs', from)).toMatchObject({ size: JOB.length, kind: 'module' })
      expect(await fetchArtifact('s3a://toy/jobs/big.mjs', from)).toMatchObject({ size: big.length })
      await expect(fetchArtifact('s3://toy/jobs/none.mjs', from)).rejects.toMatchObject({
        code: 'TR-ARTIFACT-004',
        message: 'Cannot fetch s3://toy/jobs/none.mjs: there is no such object',
      })
      await expect(fetchArtifact('s3://other/job.mjs', from)).rejects.toMatchObject({ code: 'TR-ARTIFACT-004' })
      const small = options({ 'tailrace.artifacts.max-size': '5000 kb' }, { openStore })
      await expect(fetchArtifact('s3://toy/jobs/big.mjs', small)).rejects.toMatchObject({ code: 'TR-ARTIFACT-006' })
      await expect(fetchArtifact('s3://toy/job.mjs', options())).rejects.toMatchObject({ code: 'TR-ARTIFACT-001' })
    } finally {
      await s3.close()
    }
  })

  it('refuses a file that is too large', async () => {
    const path = write('job.mjs', 'x'.repeat(2000))
    await expect(fetchArtifact(path, options({ 'tailrace.artifacts.max-size': '1 kb' }))).rejects.toMatchObject({
      code: 'TR-ARTIFACT-006',
      message: `Cannot take the artifact ${path}: it has 2000 bytes, wanted: 1024 at the most ("tailrace.artifacts.max-size")`,
    })
  })

  it('refuses an entry of one module', async () => {
    await expect(fetchArtifact(write('job.mjs', JOB), options({}, { entry: 'com.example.Job' }))).rejects.toMatchObject(
      {
        code: 'TR-ARTIFACT-008',
      },
    )
  })

  it.each<[string, object, string]>([
    ['tailrace.entry', { tailrace: { entry: 'job.mjs' }, main: 'other.mjs', exports: './x.js' }, 'job.mjs'],
    ['exports', { exports: './job.mjs', main: 'other.mjs' }, 'job.mjs'],
    [
      'exports with conditions',
      { exports: { '.': { types: './x.d.ts', import: './job.mjs' }, './x': './x.mjs' } },
      'job.mjs',
    ],
    ['main', { main: './job.mjs' }, 'job.mjs'],
    ['nothing', {}, 'index.js'],
  ])('finds the module of a package by %s', async (_, manifest, module) => {
    const archive = pack({ path: 'package.json', text: JSON.stringify(manifest) }, { path: 'index.js', text: JOB })
    const artifact = await fetchArtifact(write('job.tgz', archive), options())
    expect(artifact.moduleUrl).toBe(`file://${cache.dir}/${artifact.sha256}.d/files/${module}`)
    expect(readFileSync(fileURLToPath(artifact.moduleUrl), 'utf8')).toBe(JOB)
  })

  it('finds a package as npm packs it, and the entry that is asked for', async () => {
    const archive = tgz(
      { path: 'package/package.json', text: '{"main":"none.js"}' },
      { path: 'package/dist/other.mjs', text: JOB },
    )
    const artifact = await fetchArtifact(write('job-1.0.0.tgz', archive), options({}, { entry: 'dist/other.mjs' }))
    expect(artifact.moduleUrl).toMatch(/files\/package\/dist\/other\.mjs$/)
  })

  it.each<[string, TarEntry[], string | undefined, RegExp]>([
    ['no package.json', [], undefined, /no package\.json/],
    ['a broken package.json', [{ path: 'package.json', text: '{' }], undefined, /cannot be read/],
    [
      'a main that is not there',
      [{ path: 'package.json', text: '{"main":"none.mjs"}' }],
      undefined,
      /"main".*"none\.mjs".*not in it/,
    ],
    [
      'an entry that is not there',
      [{ path: 'package.json', text: '{}' }],
      'none.mjs',
      /the entry is "none\.mjs".*has job\.mjs$/,
    ],
    [
      '… among others',
      [
        { path: 'package.json', text: '{}' },
        { path: 'jobs/fraud.mjs', text: JOB },
        { path: 'jobs/readme.md', text: '' },
        { path: 'index.js', text: JOB },
        { path: 'node_modules/x/index.js', text: JOB },
      ],
      'none.mjs',
      /of the package, which has index\.js, job\.mjs, jobs\/fraud\.mjs$/,
    ],
    ['an entry outside', [{ path: 'package.json', text: '{}' }], '../../../outside.mjs', /outside of it/],
    ['an entry that is no module', [{ path: 'package.json', text: '{}' }], 'com.example.Job', /names no module/],
    ['an entry that is no text', [{ path: 'package.json', text: '{"main":5}' }], undefined, /"main".*is 5/],
  ])('refuses a package with %s', async (_, entries, entry, message) => {
    write('outside.mjs', JOB)
    await expect(fetchArtifact(write('job.tgz', pack(...entries)), options({}, { entry }))).rejects.toMatchObject({
      code: 'TR-ARTIFACT-008',
      message: expect.stringMatching(message),
    })
  })

  it('leaves nothing of an archive that cannot be unpacked but its file', async () => {
    const bad = tgz({ path: 'package.json', text: '{}' }, { path: '../evil', text: 'x' })
    await expect(fetchArtifact(write('job.tgz', bad), options())).rejects.toMatchObject({ code: 'TR-ARTIFACT-007' })
    expect(readdirSync(cache.dir)).toEqual([expect.stringMatching(/^\w{64}\.tgz$/)])
  })

  it('unpacks once, also for two at a time, and again when something is damaged', async () => {
    const path = write('job.tgz', pack({ path: 'package.json', text: '{"main":"job.mjs"}' }))
    const [one, two] = await Promise.all([fetchArtifact(path, options()), fetchArtifact(path, options())])
    expect(two.moduleUrl).toBe(one.moduleUrl)
    const module = fileURLToPath(one.moduleUrl)
    writeFileSync(module, 'damaged')
    expect((await fetchArtifact(path, options())).moduleUrl).toBe(one.moduleUrl)
    expect(readFileSync(module, 'utf8')).toBe(JOB)
    expect(readdirSync(cache.dir).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it.each([
    ['1.4.2', undefined],
    ['1.0.0', undefined],
    ['1.4.3', /1\.4\.3 and runs on 1\.4\.2, which is older/],
    ['1.5.0', /which is older/],
  ])('runs what was built for %s', async (builtFor, warning) => {
    const module = write('job.mjs', `/*! tailrace {"builtFor":"${builtFor}","entry":"job.ts"} */\n${JOB}`)
    const archive = write(
      'job.tgz',
      pack({ path: 'package.json', text: JSON.stringify({ main: 'job.mjs', tailrace: { builtFor } }) }),
    )
    for (const path of [module, archive, `local://${module}`]) {
      const { warnings } = await fetchArtifact(path, options())
      expect(warnings).toEqual(warning === undefined ? [] : [expect.stringMatching(warning)])
    }
  })

  it.each([
    ['2.0.0', '1.4.2'],
    ['0.9.0', '1.4.2'],
    ['0.1.5', '0.2.0'],
    ['soon', '1.4.2'],
  ])('refuses what was built for %s on %s', async (builtFor, version) => {
    const path = write('job.mjs', `/*! tailrace {"builtFor":"${builtFor}","entry":"job.ts"} */\n${JOB}`)
    for (const uri of [path, `local://${path}`])
      await expect(fetchArtifact(uri, options({}, { version }))).rejects.toMatchObject({
        code: 'TR-ARTIFACT-009',
        message: expect.stringContaining(builtFor),
      })
  })
})

describe('addArtifact() and cachedArtifact()', () => {
  it('hand an artifact from process to process by its hash', async () => {
    const { sha256, release } = await addArtifact(chunksOf(JOB), 'job.ts', options())
    expect(await cachedArtifact(sha256, 'job.ts', options())).toMatchObject({ sha256, kind: 'typescript' })
    expect(await cachedArtifact('0'.repeat(64), 'job.ts', options())).toBeUndefined()
    await release()
  })

  it('hold nothing of what was refused', async () => {
    await expect(addArtifact(chunksOf('no gzip'), 'job.tgz', options())).rejects.toMatchObject({
      code: 'TR-ARTIFACT-007',
    })
    expect(readdirSync(cache.dir).filter((name) => name.startsWith('held-'))).toEqual([])
  })
})
