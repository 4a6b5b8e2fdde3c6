/** What bad input gets, from real processes: a text with a code that says what was found and what is wanted, in the output of commands, by REST and in logs, and in time. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Cluster, COUNTING } from './cluster.ts'

const OTHER_VERSION = { NODE_OPTIONS: `--import ${new URL('other-version.mjs', import.meta.url).href}` }
const ZEROS = '0'.repeat(64)

let cluster: Cluster
beforeEach(() => {
  cluster = new Cluster('bad-input', { 'slot.request.timeout': '2 s' })
})
afterEach(() => cluster.stop())

const address = () => cluster.url.replace('http://', '')

describe('a TaskManager that does not belong to the cluster ends, and both sides say why', { timeout: 60_000 }, () => {
  it.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['is of another version', {}, OTHER_VERSION, 'TR-RPC-002 Cannot connect taskmanager tm-1'],
    ['has another cluster id', { 'high-availability.cluster-id': 'blue' }, {}, 'TR-RPC-003 Cannot connect taskmanager'],
  ])('it %s', async (_, options, environment, text) => {
    const jobManager = await cluster.jobManager()
    const taskManager = cluster.taskManager('tm-1', 1, options, environment)
    expect(await taskManager.exited).toBe(1)
    for (const { log } of [jobManager, taskManager]) {
      expect(log).toContain(text)
      expect(log).toMatch(
        /it is of Tailrace 0\.0\.9, \S+ is wanted|it belongs to the cluster "blue", "default" is wanted/,
      )
    }
    expect((await cluster.ask('/taskmanagers')).body.taskmanagers).toEqual([])
  })
})

it('too few slots: a job fails after slot.request.timeout, with how many are needed and available', {
  timeout: 60_000,
}, async () => {
  const jobManager = await cluster.jobManager()
  cluster.taskManager('tm-1', 2)
  await jobManager.says('has registered with 2 slots')
  const run = await cluster.command('run', COUNTING, '-m', address(), '-p', '3')
  const text = 'it needs 3 slots, and 2 were available within 2 s (slot.request.timeout)'
  expect([run.code, run.text]).toEqual([1, expect.stringContaining('TR-CLUSTER-001')])
  const jid = await cluster.is('FAILED')
  const [reason] = await cluster.exceptions(jid)
  for (const said of [run.text, reason, jobManager.log])
    expect([said, said]).toEqual([expect.stringContaining('TR-CLUSTER-001'), expect.stringContaining(text)])
  // The cluster takes others.
  const next = await cluster.command('run', COUNTING, '-m', address(), '-p', '2', '--detached')
  expect(next.code).toBe(0)
  await cluster.runs(2)
})

describe('an artifact', { timeout: 60_000 }, () => {
  it.each([
    ['has another hash', `${COUNTING}#sha256=${ZEROS}`, 'TR-ARTIFACT-005', ZEROS],
    [
      'is at a host that is refused',
      'https://10.0.0.1/job.mjs',
      'TR-ARTIFACT-002',
      '"tailrace.artifacts.allowed-hosts"',
    ],
    ['is not there', 'file:///nowhere/job.mjs', 'TR-PROGRAM-002', '/nowhere/job.mjs'],
  ])('%s: nothing is run', async (_, uri, code, text) => {
    const run = await cluster.command('run', uri, '--no-web')
    expect([run.code, run.text]).toEqual([1, expect.stringContaining(code)])
    expect(run.text).toContain(text)
    const jobManager = cluster.start('application', ['jobmanager', uri, '--port', '0', '--metrics-port', '0'])
    expect([await jobManager.exited, jobManager.log]).toEqual([1, expect.stringContaining(code)])
    expect(jobManager.log).toContain(text)
  })

  it('that is uploaded and is no program is refused when it is run, and the next one is taken', async () => {
    await cluster.jobManager()
    const upload = async (name: string, bytes: string | Buffer) => {
      const form = new FormData()
      form.append('jarfile', new Blob([new Uint8Array(Buffer.from(bytes))]), name)
      const { status, body } = await cluster.ask('/jars/upload', { method: 'POST', body: form })
      return { status, body, id: body.filename?.split('/').at(-1) }
    }
    const run = (id: string) => cluster.ask(`/jars/${id}/run`, { method: 'POST' })
    expect(await upload('job.jar', 'PK')).toMatchObject({
      status: 400,
      body: { errors: [expect.stringContaining('TR-')] },
    })
    const broken = await upload('broken.mjs', 'export default 1')
    expect(await run(broken.id)).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('TR-')] } })
    expect(await run('nothing')).toMatchObject({ status: 404 })
    const out = join(cluster.folder, 'counting.mjs')
    expect((await cluster.command('build', COUNTING, '-o', out, '--no-check')).code).toBe(0)
    const good = await upload('counting.mjs', await readFile(out))
    expect(await run(good.id)).toMatchObject({ status: 200, body: { jobid: expect.stringMatching(/^[0-9a-f]{32}$/) } })
  })
})

describe('a value out of range', { timeout: 60_000 }, () => {
  it.each([
    ['jobmanager', 'heartbeat.interval=1 ms', '10 ms or more is wanted'],
    ['jobmanager', 'slot.request.timeout=soon', 'a duration such as "500 ms", "10s" or "5 min" is wanted'],
    ['jobmanager', 'jobmanager.scheduler=Fast', 'one of Default, Adaptive is wanted'],
    ['taskmanager', 'taskmanager.numberOfTaskSlots=0', 'a whole number from 1 to 999999 is wanted'],
    ['taskmanager', 'taskmanager.memory.process.size=1m', '128m or more'],
    ['taskmanager', 'jobmanager.rpc.port=0', 'the port that the JobManager says it listens on is wanted'],
  ])('ends tailrace %s -D %s at once', async (command, property, text) => {
    const one = cluster.start('one', [command, '-D', property])
    expect([await one.exited, one.log]).toEqual([2, expect.stringContaining('TR-CONFIG-001')])
    expect(one.log).toContain(`for ${property.split('=')[0]}`)
    expect(one.log).toContain(text)
  })

  it('of a request or of a job is refused by REST and by commands, and harms nothing', async () => {
    const jobManager = await cluster.jobManager()
    cluster.taskManager('tm-1', 2)
    await jobManager.says('has registered with 2 slots')
    const bad = await cluster.command('run', COUNTING, '-m', address(), '-D', 'restart-strategy.type=sometimes')
    expect([bad.code, bad.text]).toEqual([2, expect.stringContaining('TR-CONFIG-001')])
    expect((await cluster.command('run', COUNTING, '-m', address(), '-p', '2', '--detached')).code).toBe(0)
    const jid = await cluster.runs(2)
    const put = (bounds: object) =>
      cluster.ask(`/jobs/${jid}/resource-requirements`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(bounds),
      })
    const { body: wanted } = await cluster.ask(`/jobs/${jid}/resource-requirements`)
    const [vertex] = Object.keys(wanted)
    for (const [lowerBound, upperBound] of [
      [1, 40_000],
      [2, 1],
      [0, 1],
    ])
      expect(await put({ ...wanted, [vertex!]: { parallelism: { lowerBound, upperBound } } })).toMatchObject({
        status: 400,
        body: { errors: [expect.anything()] },
      })
    expect(await put({})).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('is missing')] } })
    const rescale = await cluster.command('rescale', jid, '-p', '40000')
    expect([rescale.code, rescale.text]).toEqual([1, expect.stringContaining('TR-CLUSTER-004')])
    await cluster.runs(2)
  })
})

it('memory: a slot that takes more than the process may have is ended, and all say so', {
  timeout: 60_000,
}, async () => {
  const jobManager = await cluster.jobManager()
  const taskManager = cluster.taskManager('tm-1', 1, { 'taskmanager.memory.process.size': '400m' })
  await jobManager.says('has registered with 1 slots')
  const run = await cluster.command('run', COUNTING, '-m', address(), '-p', '1', '--rate', '20', '--hog', '2')
  const text = 'of the 400 MB that it may have (taskmanager.memory.process.size)'
  expect([run.code, run.text]).toEqual([1, expect.stringContaining('TR-TASK-002')])
  const [reason] = await cluster.exceptions(await cluster.is('FAILED'))
  for (const said of [run.text, reason, jobManager.log, taskManager.log])
    expect([said, said]).toEqual([expect.stringContaining('TR-TASK-002'), expect.stringContaining(text)])
  // Its process serves on.
  expect((await cluster.command('run', COUNTING, '-m', address(), '-p', '1', '--detached')).code).toBe(0)
  await cluster.runs(1)
})
