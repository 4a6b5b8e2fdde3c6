import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { artifactSettings } from './settings.ts'
import { programOf, type Submission } from './submission.ts'
import { chunksOf, tgz } from './tgz.suite.ts'
import { Uploads, type UploadsOptions } from './uploads.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-uploads-test-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const settings = (more: Record<string, string> = {}) =>
  artifactSettings({ 'user.artifacts.base-dir': join(dir, 'artifacts'), ...more })
const open = (options: Partial<UploadsOptions> = {}) =>
  new Uploads({ settings: settings(), dir: join(dir, 'web'), ...options })
const JOB = 'export default async () => {}'
const stored = () => readdirSync(join(dir, 'web/tailrace-web-upload'))

describe('Uploads', () => {
  it('keeps what is uploaded, the newest first, also for the next process', async () => {
    let nowMs = 1_700_000_000_000
    const uploads = open({ now: () => (nowMs += 1000) })
    const one = await uploads.upload(chunksOf(JOB), 'one.mjs')
    const pack = tgz({ path: 'package.json', text: '{"main":"main.mjs"}' }, { path: 'main.mjs', text: JOB })
    const two = await uploads.upload(chunksOf(pack), 'C:\\jobs\\two words.tgz')
    expect(one).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}_one\.mjs$/),
      name: 'one.mjs',
      entry: 'one.mjs',
    })
    expect(two).toMatchObject({ name: 'two_words.tgz', entry: 'main.mjs', uploadedMs: 1_700_000_002_000 })
    expect(await uploads.list()).toEqual([two, one])
    expect(await open().list()).toEqual([two, one])
    await uploads.close()
    expect(stored().sort()).toEqual([one.id, two.id].sort())
  })

  it('opens one for a job, with another module if it is asked for', async () => {
    const uploads = open()
    const pack = tgz({ path: 'package.json', text: '{}' }, { path: 'a.mjs', text: JOB }, { path: 'b.mjs', text: JOB })
    const { id, entry } = await uploads.upload(chunksOf(pack), 'job.tgz')
    expect(entry).toBeUndefined()
    expect((await uploads.open(id, 'b.mjs'))!.moduleUrl).toMatch(/\/b\.mjs$/)
    await expect(uploads.open(id)).rejects.toMatchObject({ code: 'TR-ARTIFACT-008' })
  })

  it('deletes, and a job that runs it keeps its copy', async () => {
    const uploads = open()
    const { id } = await uploads.upload(chunksOf(JOB), 'job.ts')
    const artifact = (await uploads.open(id))!
    expect(await uploads.delete(id)).toBe(true)
    expect(await uploads.delete(id)).toBe(false)
    expect(await uploads.open(id)).toBeUndefined()
    expect(existsSync(artifact.path)).toBe(true)
  })

  it.each([
    ['job.jar', JOB, 'TR-ARTIFACT-001'],
    ['job.sql', 'SELECT 1', 'TR-ARTIFACT-011'],
    ['job.tgz', 'no gzip', 'TR-ARTIFACT-007'],
    ['job.mjs', 'x'.repeat(2000), 'TR-ARTIFACT-006'],
    ['job.mjs', '/*! tailrace {"builtFor":"99.0.0","entry":"job.ts"} */', 'TR-ARTIFACT-009'],
  ])('refuses a %s that cannot run, and keeps nothing of it', async (name, text, code) => {
    const uploads = open({ settings: settings({ 'tailrace.artifacts.max-size': '1kb' }) })
    await expect(uploads.upload(chunksOf(text), name)).rejects.toMatchObject({ code })
    expect(await uploads.list()).toEqual([])
  })

  it('has a limit of its own, and says which', async () => {
    const uploads = open({ sizeMax: 1000 })
    await expect(uploads.upload(chunksOf('x'.repeat(2000)), 'job.mjs')).rejects.toMatchObject({
      code: 'TR-ARTIFACT-006',
      message: expect.stringContaining('rest.server.max-content-length'),
    })
  })

  it('keeps nothing of an upload that breaks off, or of a process that ended within one', async () => {
    const uploads = open()
    const breaking = async function* () {
      yield Buffer.from('ex')
      throw new Error('gone')
    }
    await expect(uploads.upload(breaking(), 'job.mjs')).rejects.toThrow('gone')
    expect(stored()).toEqual([])
    writeFileSync(join(dir, 'web/tailrace-web-upload/.new-x'), '')
    expect(await open().list()).toEqual([])
    expect(stored()).toEqual([])
  })

  it.each(['../artifacts', '..', '', 'x', `${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}_../../secret.mjs`])(
    'finds nothing by the id "%s"',
    async (id) => {
      const uploads = open()
      await uploads.upload(chunksOf(JOB), 'job.mjs')
      writeFileSync(join(dir, 'secret.mjs'), JOB)
      expect(await uploads.get(id)).toBeUndefined()
      expect(await uploads.delete(id)).toBe(false)
    },
  )

  it('makes a directory of its own when it is needed, and takes it away again', async () => {
    const uploads = open({ dir: undefined })
    expect(await uploads.list()).toEqual([])
    const { path } = await uploads.upload(chunksOf(JOB), 'job.mjs')
    await uploads.close()
    expect(existsSync(dirname(path))).toBe(false)
  })
})

describe('programOf()', () => {
  const submission: Submission = {
    uploadId: 'x',
    entry: undefined,
    args: ['--input', 'data'],
    parallelism: 3,
    jobId: undefined,
    savepointPath: '/savepoint',
    allowNonRestoredState: true,
    claimMode: 'CLAIM',
    configuration: { a: 'job', 'parallelism.default': '9', 'execution.savepoint.path': '/other' },
  }

  it('puts the request over its configuration, and that over the cluster', () => {
    const cluster = { a: 'cluster', b: 'cluster', 'execution.state-recovery.path': '/of another job' }
    expect(programOf(submission, { moduleUrl: 'file:///job.mjs' }, cluster)).toEqual({
      url: 'file:///job.mjs',
      args: ['--input', 'data'],
      parameters: { input: 'data' },
      options: {
        a: 'job',
        b: 'cluster',
        'parallelism.default': '3',
        'execution.state-recovery.path': '/savepoint',
        'execution.state-recovery.ignore-unclaimed-state': 'true',
        'execution.state-recovery.claim-mode': 'CLAIM',
      },
    })
  })

  it('does not go on from what the cluster’s own job went on from', () => {
    const none = { ...submission, savepointPath: undefined, allowNonRestoredState: undefined, claimMode: undefined }
    const cluster = { 'execution.state-recovery.path': '/of another job' }
    const { options } = programOf({ ...none, configuration: {} }, { moduleUrl: 'file:///job.mjs' }, cluster)
    expect(options).toEqual({ 'parallelism.default': '3' })
  })
})
