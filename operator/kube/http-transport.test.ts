/** The real transport, over sockets, against an API server in memory. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock, systemSchedule } from '../../runtime/core/clock.ts'
import { type KubeAccess, openAccess } from '../../runtime/ha/kubernetes-access.ts'
import { httpTransport } from '../../runtime/ha/kubernetes-http.ts'
import { ApiServer } from './api-server.suite.ts'
import { KubeClient } from './client.ts'
import { RESOURCES } from './objects.ts'

const { configMaps } = RESOURCES
const KEY = { namespace: 'jobs', name: 'c' }

let server: ApiServer
let access: KubeAccess
let client: KubeClient
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kube-'))
  server = new ApiServer()
  const url = await server.start()
  access = {
    server: url,
    namespace: 'jobs',
    credentials: async () => ({ headers: { authorization: 'Bearer a' }, tls: {} }),
  }
  client = new KubeClient({ transport: httpTransport(access, 'tests/1'), schedule: systemSchedule, random: () => 0 })
})
afterEach(async () => {
  client.close()
  await server.stop()
  await rm(directory, { recursive: true })
})

const put = (value: string) => server.put(configMaps, { metadata: KEY, data: { value } })

describe('httpTransport()', () => {
  it('reads and writes, also what is not ASCII', async () => {
    await client.apply(configMaps, { metadata: KEY, data: { value: 'größer als „1“' } })
    expect((await client.get(configMaps, KEY))?.data).toEqual({ value: 'größer als „1“' })
    expect(await client.delete(configMaps, KEY)).toBe(true)
    expect(await client.get(configMaps, KEY)).toBeUndefined()
  })

  it('tells a cut connection and an abort', async () => {
    server.fault = () => 'cutBefore'
    await expect(client.create(configMaps, { metadata: KEY })).rejects.toMatchObject({
      code: 'TR-KUBE-001',
      message: expect.stringMatching(/Cannot create the ConfigMap "jobs\/c": .*\(http:\/\/127/),
    })
    server.fault = () => 'hang'
    const abort = new AbortController()
    const asked = client.get(configMaps, KEY, { signal: abort.signal })
    await expect.poll(() => server.requests.length).toBe(2)
    abort.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await server.stop()
    await expect(client.create(configMaps, { metadata: KEY })).rejects.toMatchObject({ code: 'TR-KUBE-001' })
  })

  it('follows a watch, whole lines at a time, to its end', async () => {
    put('0')
    const told: string[] = []
    const ends: unknown[] = []
    let heard = 0
    const watch = () =>
      client.watch(
        configMaps,
        { namespace: 'jobs', resourceVersion: String(server.store.version), timeoutSeconds: 300 },
        {
          heard: () => heard++,
          event: (type, { data }) => told.push(`${type} ${data.value.length}`),
          bookmark: (version) => told.push(`BOOKMARK ${version}`),
          ended: (end) => ends.push(end),
        },
      )
    watch()
    await expect.poll(() => server.watches).toBe(1)
    put('ü'.repeat(300_000))
    server.bookmark()
    await expect.poll(() => told).toEqual(['MODIFIED 300000', `BOOKMARK ${server.store.version}`])
    expect(heard).toBeGreaterThan(1)
    server.endWatches('peace')
    await expect.poll(() => ends).toEqual([{}])
    watch()
    await expect.poll(() => server.watches).toBe(1)
    server.endWatches('cut')
    await expect.poll(() => ends).toMatchObject([{}, { error: { code: 'TR-KUBE-001' } }])
    server.fault = () => ({ status: 403 })
    watch()
    await expect.poll(() => ends.at(-1)).toMatchObject({ error: { code: 'TR-KUBE-002' } })
    server.fault = () => undefined
    watch()
    await expect.poll(() => server.watches).toBe(1)
    // It is given up by its reader, in the middle.
    server.endWatches('gone')
    await expect.poll(() => ends.at(-1)).toEqual({ gone: true })
    const stop = watch()
    await expect.poll(() => server.watches).toBe(1)
    stop()
    await expect.poll(() => server.watches).toBe(0)
    expect(ends).toHaveLength(4)
  })
})

describe('openAccess()', () => {
  const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }

  it('reads the service account of a pod, and again when its token may have been rotated', async () => {
    const write = (name: string, text: string) => writeFile(join(directory, name), text)
    await Promise.all([write('token', 'first\n'), write('ca.crt', 'CA'), write('namespace', 'tailrace')])
    const clock = new ManualClock()
    const opened = await openAccess({ environment: pod, clock, accountDirectory: directory })
    expect(opened).toMatchObject({ server: 'https://[fd00::1]:6443', namespace: 'tailrace' })
    expect(await opened.credentials()).toEqual({ headers: { authorization: 'Bearer first' }, tls: { ca: 'CA' } })
    await write('token', 'second')
    expect((await opened.credentials()).headers).toEqual({ authorization: 'Bearer first' })
    clock.advance(30_000)
    expect((await opened.credentials()).headers).toEqual({ authorization: 'Bearer second' })
  })

  it('takes the cluster, the namespace and the token of a kubeconfig', async () => {
    const file = join(directory, 'config')
    const config = {
      'current-context': 'here',
      clusters: [{ name: 'c', cluster: { server: access.server, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 'secret' } }],
      contexts: [{ name: 'here', context: { cluster: 'c', user: 'u', namespace: 'ours' } }],
    }
    await writeFile(file, JSON.stringify(config))
    const opened = await openAccess({ environment: { ...pod, KUBECONFIG: file }, clock: new ManualClock() })
    expect(opened).toMatchObject({ server: access.server, namespace: 'ours' })
    expect((await opened.credentials()).headers.authorization).toBe('Bearer secret')
    const transport = httpTransport(opened, 'tests/1')
    const own = new KubeClient({ transport, schedule: systemSchedule, random: () => 0 })
    expect(await own.get(configMaps, KEY)).toBeUndefined()
    own.close()
    await writeFile(file, JSON.stringify({ ...config, 'current-context': 'elsewhere' }))
    await expect(openAccess({ environment: { KUBECONFIG: file }, clock: new ManualClock() })).rejects.toMatchObject({
      code: 'TR-KUBE-008',
      message: expect.stringContaining('it names no cluster'),
    })
  })

  it('names what is not there', async () => {
    const clock = new ManualClock()
    await expect(openAccess({ environment: pod, clock, accountDirectory: directory })).rejects.toMatchObject({
      code: 'TR-KUBE-008',
      message: expect.stringMatching(/Cannot read the service account's ".*": ENOENT/),
    })
  })
})
