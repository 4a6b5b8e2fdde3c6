/** Uploads, and running them on an embedded cluster with threads, over HTTP. */
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { artifactSettings } from '../artifacts/settings.ts'
import { tgz } from '../artifacts/tgz.suite.ts'
import { Uploads } from '../artifacts/uploads.ts'
import { EmbeddedCluster } from '../embedded/cluster.ts'
import { programSubmissions } from '../processes/submissions.ts'
import { words } from './jars.ts'
import { type RestServer, startRest } from './server.ts'

let dir: string
let cluster: EmbeddedCluster
let rest: RestServer
let off: RestServer
let printed = ''
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-jars-'))
  cluster = await EmbeddedCluster.start({ host: 'worker', slots: 2, onPrint: (_, text) => (printed += text) })
  const settings = artifactSettings({
    'user.artifacts.base-dir': join(dir, 'artifacts'),
    'tailrace.artifacts.max-size': '100 kb',
  })
  const submissions = programSubmissions(cluster, {
    uploads: new Uploads({ settings, dir }),
    configuration: { 'parallelism.default': '1' },
  })
  rest = await startRest({ dispatcher: cluster.dispatcher, port: 0, submissions })
  off = await startRest({ dispatcher: cluster.dispatcher, port: 0 })
})
afterAll(async () => {
  await Promise.all([rest.close(), off.close()])
  await cluster.stop()
  rmSync(dir, { recursive: true })
})

const JOB = `import type { StreamExecutionEnvironment } from 'tailrace'
enum Greeting { Hello = 'hello' }
export default async function main(env: StreamExecutionEnvironment) {
  if (env.parameters.fail) throw new Error('no ' + env.parameters.fail)
  env.fromData(...env.args).map((word) => Greeting.Hello + ' ' + word).print()
  await env.execute('greetings')
}
`

async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const response = await fetch(`${rest.url}/v1${path}`, {
    method,
    headers: { ...(body && !(body instanceof FormData) && { 'content-type': 'application/json' }), ...headers },
    ...(body && { body: body instanceof FormData ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as any }
}

function form(content: string | Uint8Array<ArrayBuffer>, name: string): FormData {
  const data = new FormData()
  data.append('comment', 'mine')
  data.append('jarfile', new File([content], name))
  return data
}
const upload = async (content: string | Uint8Array<ArrayBuffer>, name = 'job.ts') =>
  basename((await call('POST', '/jars/upload', form(content, name))).body.filename)

async function ended(jobId: string): Promise<string> {
  for (;;) {
    const { status } = (await call('GET', `/jobs/${jobId}/status`)).body
    if (/FINISHED|FAILED|CANCELED/.test(status)) return status
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('/jars', () => {
  it('takes an upload, lists it, plans and runs it, and deletes it', async () => {
    const uploaded = await call('POST', '/jars/upload', form(JOB, 'greet.ts'))
    expect(uploaded).toMatchObject({ status: 200, body: { status: 'success' } })
    const id = basename(uploaded.body.filename)
    expect(id).toMatch(/^[0-9a-f-]{36}_greet\.ts$/)
    expect((await call('GET', '/jars')).body).toEqual({
      address: rest.url,
      files: [{ id, name: 'greet.ts', uploaded: expect.any(Number), entry: [{ name: 'greet.ts', description: '' }] }],
    })

    const plan = await call('POST', `/jars/${id}/plan`, { parallelism: 2 })
    expect(plan).toMatchObject({ status: 200, body: { plan: { name: 'greetings', type: 'STREAMING' } } })
    expect(plan.body.plan.nodes.map(({ parallelism }: any) => parallelism)).toContain(2)
    // It ran up to its first execute() and no further.
    expect((await call('GET', '/jobs')).body.jobs).toEqual([])

    printed = ''
    const run = await call('POST', `/jars/${id}/run`, { programArgsList: ['ann', 'b, ob'] })
    expect(run).toMatchObject({ status: 200, body: { jobid: expect.stringMatching(/^[0-9a-f]{32}$/) } })
    expect(await ended(run.body.jobid)).toBe('FINISHED')
    expect(printed).toBe('hello ann\nhello b, ob\n')

    printed = ''
    const query = await call('POST', `/jars/${id}/run?programArg=cid,dora&parallelism=1`)
    expect(await ended(query.body.jobid)).toBe('FINISHED')
    expect(printed).toBe('hello cid\nhello dora\n')

    expect(await call('DELETE', `/jars/${id}`)).toEqual({ status: 200, body: {} })
    expect((await call('DELETE', `/jars/${id}`)).status).toBe(404)
    expect((await call('POST', `/jars/${id}/run`)).status).toBe(404)
    expect((await call('GET', '/jars')).body.files).toEqual([])
  }, 30_000)

  it('runs a module of a package that is named', async () => {
    const archive = tgz(
      { path: 'package.json', text: '{"type":"module"}' },
      { path: 'jobs/greet.ts', text: JOB },
      { path: 'jobs/other.ts', text: 'export default async () => {}' },
    )
    const id = await upload(new Uint8Array(archive), 'jobs.tgz')
    const none = await call('POST', `/jars/${id}/plan`)
    expect(none).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('TR-ARTIFACT-008')] } })
    expect((await call('POST', `/jars/${id}/plan?entry-class=jobs/greet.ts`)).body.plan.name).toBe('greetings')
    const idle = await call('POST', `/jars/${id}/run`, { entryClass: 'jobs/other.ts' })
    expect(idle).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('TR-PROGRAM-003')] } })
  }, 30_000)

  it('says what is wrong with the program', async () => {
    const id = await upload(JOB)
    for (const path of ['plan', 'run'])
      expect(await call('POST', `/jars/${id}/${path}`, { programArgs: '--fail "two words"' })).toMatchObject({
        status: 400,
        body: { errors: [expect.stringMatching(/^TR-PROGRAM-002: .*no two words/)] },
      })
    expect(await call('POST', `/jars/${id}/run`, { parallelism: 3 })).toMatchObject({
      status: 503,
      body: { errors: [expect.stringMatching(/^TR-CLUSTER-001: .*needs 3 slots/)] },
    })
    const jobId = '1'.repeat(32)
    expect(await call('POST', `/jars/${id}/run`, { jobId })).toMatchObject({ status: 200, body: { jobid: jobId } })
    expect(await call('POST', `/jars/${id}/run`, { jobId })).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining('the cluster has a job of this id')] },
    })
    for (const body of [
      { programArgsList: ['a'], programArgs: 'a' },
      { claimMode: 'CLAIM', restoreMode: 'NO_CLAIM' },
      { claimMode: 'MINE' },
      { jobId: 'x' },
      { parallelism: 0 },
      { programArgsList: 'a' },
    ])
      expect(await call('POST', `/jars/${id}/run`, body), JSON.stringify(body)).toMatchObject({ status: 400 })
  }, 30_000)

  it.each<[string, FormData | object | undefined, number, RegExp]>([
    ['no form', {}, 400, /form is wanted/],
    ['nothing', undefined, 400, /form is wanted/],
    ['a form without a file', new FormData(), 400, /no file/],
    ['a jar', form('PK', 'job.jar'), 400, /Java archive/],
    ['a broken archive', form('x', 'job.tgz'), 400, /TR-ARTIFACT-007/],
    ['what is too large', form('x'.repeat(200_000), 'job.mjs'), 413, /TR-ARTIFACT-006/],
  ])('refuses an upload of %s', async (_, body, status, message) => {
    const answer = await call('POST', '/jars/upload', body)
    expect(answer).toMatchObject({ status, body: { errors: [expect.stringMatching(message)] } })
  })

  it('takes forms nowhere else', async () => {
    const id = await upload(JOB)
    expect((await call('POST', `/jars/${id}/run`, form('{}', 'x'))).status).toBe(415)
  })

  it('refuses pages of other sites, and names that lead here by chance', async () => {
    const id = await upload(JOB)
    const send = (headers: Record<string, string>, path = `/jars/${id}/plan`) =>
      new Promise<number>((resolve, reject) => {
        const sent = request(`${rest.url}${path}`, { method: 'POST', headers }, (response) => {
          response.resume()
          resolve(response.statusCode!)
        })
        sent.on('error', reject)
        sent.end()
      })
    const host = new URL(rest.url).host
    expect(await send({})).toBe(200)
    expect(await send({ origin: rest.url, host, 'sec-fetch-site': 'same-origin' })).toBe(200)
    expect(await send({ origin: 'https://evil.example' })).toBe(403)
    expect(await send({ origin: 'null' })).toBe(403)
    expect(await send({ 'sec-fetch-site': 'cross-site' })).toBe(403)
    // Rebinding: the page's own name leads to this machine.
    expect(await send({ origin: 'http://evil.example:80', host: 'evil.example:80' })).toBe(403)
    expect(await send({ origin: 'https://evil.example' }, '/jars/upload')).toBe(403)
  }, 30_000)

  it('is off when web.submit.enable says so', async () => {
    for (const [method, path] of [
      ['GET', '/jars'],
      ['POST', '/jars/x/run'],
      ['POST', '/jars/x/plan'],
      ['DELETE', '/jars/x'],
      ['POST', '/jars/upload'],
    ] as const) {
      const response = await fetch(off.url + path, { method })
      expect([path, response.status, await response.text()]).toEqual([
        path,
        403,
        expect.stringContaining('web.submit.enable'),
      ])
    }
    const features = async (url: string) =>
      ((await (await fetch(`${url}/config`)).json()) as any).features['web-submit']
    expect([await features(rest.url), await features(off.url)]).toEqual([true, false])
  })
})

describe('words()', () => {
  it.each([
    ['a  b', ['a', 'b']],
    [`--a "b c" 'd "e'`, ['--a', 'b c', 'd "e']],
    ['--a="b c"', ['--a=b c']],
    ['""', ['']],
    ['', []],
  ])('splits %s', (text, wanted) => expect(words(text)).toEqual(wanted))
})
