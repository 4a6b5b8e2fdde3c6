/** Commands to a running cluster, over HTTP, with a cluster that does what the test says. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { FakeCluster, type FakeJob, START_MS } from '../rest/fake-cluster.suite.ts'
import { type RestServer, startRest } from '../rest/server.ts'
import { cancel, checkpoint, dispose, list, rescale, savepoint, shutdown, stop } from './cluster-commands.ts'
import { styleFor } from './style.ts'

let clock: ManualClock
let cluster: FakeCluster
let job: FakeJob
let rest: RestServer
let output: { out: string; error: string }

beforeEach(async () => {
  clock = new ManualClock(START_MS)
  cluster = new FakeCluster(clock)
  job = cluster.submit('Flight delays')
  job.plan.config.options['execution.checkpointing.savepoint-dir'] = '/data'
  rest = await startRest({ dispatcher: cluster, clock, port: 0 })
  output = { out: '', error: '' }
})
afterEach(() => rest.close())

const style = styleFor({}, {})
const surroundings = {
  terminal: {
    cwd: '/home/me',
    out: (text: string) => {
      output.out += text
    },
    error: (text: string) => {
      output.error += text
    },
    outStyle: style,
    report: { style, debug: false, cwd: '/home/me' },
  },
  sleep: () => new Promise<void>((resolve) => setImmediate(resolve)),
}
const flags = (more: object = {}) => ({ address: rest.url, config: {}, json: false, all: false, drain: false, ...more })
const taken = { result: { checkpointId: 7, path: '/data/savepoint-a0-0123/_metadata' } }
const finishing = (how: Parameters<FakeCluster['finish']>[0] = taken) => {
  cluster.onTriggered = () => setImmediate(() => cluster.finish(how))
}

describe('tailrace list', () => {
  it('lists running jobs, one a line, and with --all those that have ended', async () => {
    cluster.submit('Old one').end('FINISHED')
    clock.advance(125_000)
    expect(await list(flags(), surroundings)).toBe(0)
    expect(output.out).toBe(`  ${job.id}  RUNNING  2 min 5 s  Flight delays\n`)
    output.out = ''
    await list(flags({ all: true }), surroundings)
    expect(output.out.split('\n').length).toBe(3)
  })

  it('gives JSON, and says when there is none', async () => {
    clock.advance(3000)
    await list(flags({ json: true }), surroundings)
    expect(JSON.parse(output.out)).toEqual({
      jobs: [
        {
          jobId: job.id,
          jobName: 'Flight delays',
          status: 'RUNNING',
          startTime: START_MS,
          endTime: -1,
          duration: 3000,
        },
      ],
    })
    job.end('FAILED')
    output.out = ''
    await list(flags(), surroundings)
    expect(output.out).toBe('No job runs; --all lists those that have ended.\n')
  })
})

describe('tailrace savepoint', () => {
  it('waits, and says where it is', async () => {
    finishing()
    expect(await savepoint('Flight delays', undefined, flags(), surroundings)).toBe(0)
    expect(output).toEqual({ out: '✔ savepoint of "Flight delays": /data/savepoint-a0-0123\n', error: '' })
    expect(cluster.triggered).toEqual([
      { kind: 'savepoint', jobId: job.id, triggerId: expect.stringMatching(/^[0-9a-f]{32}$/), cancelJob: false },
    ])
  })

  it.each([
    ['savepoints', '/home/me/savepoints'],
    ['/data/sp', '/data/sp'],
    ['s3://bucket/sp', 's3://bucket/sp'],
  ])('takes the directory %s for %s', async (given, directory) => {
    finishing()
    await savepoint(job.id, given, flags({ type: 'native', json: true }), surroundings)
    expect(cluster.triggered).toMatchObject([{ directory }])
    expect(JSON.parse(output.out)).toEqual({
      jobId: job.id,
      jobName: 'Flight delays',
      location: '/data/savepoint-a0-0123',
    })
  })

  it('shows why it failed, with its code', async () => {
    const error = errorToData(new TailraceError('TR-CHECKPOINT-001', 'Cannot take savepoint 7: disk full'))
    finishing({ error })
    expect(await savepoint(job.id, undefined, flags(), surroundings)).toBe(1)
    expect(output.error).toContain('✘ TR-CHECKPOINT-001: Cannot take savepoint 7: disk full\n')
    expect(output.out).toBe('')
  })

  it('says which key to set when there is no directory', async () => {
    job.plan.config.options = {}
    expect(await savepoint(job.id, undefined, flags(), surroundings)).toBe(1)
    expect(output.error).toContain('TR-CLI-003: Cannot take a savepoint of job')
    expect(output.error).toContain('execution.checkpointing.savepoint-dir')
  })

  it('disposes of one', async () => {
    finishing({})
    expect(await dispose('sp/savepoint-1', flags(), surroundings)).toBe(0)
    expect(output.out).toBe('✔ disposed of /home/me/sp/savepoint-1\n')
    expect(cluster.triggered).toMatchObject([{ kind: 'disposal', path: '/home/me/sp/savepoint-1' }])
  })

  it('refuses another type', async () => {
    expect(await savepoint(job.id, undefined, flags({ type: 'binary' }), surroundings)).toBe(2)
    expect(output.error).toContain('Cannot use binary for --type: wanted canonical or native')
  })

  it('gives up when the cluster is gone meanwhile, and says what may be there', async () => {
    cluster.onTriggered = () => void setImmediate(() => rest.close())
    expect(await savepoint(job.id, undefined, flags(), surroundings)).toBe(1)
    expect(output.error).toContain(
      'TR-CLI-002: Cannot tell whether the cluster could take a savepoint of "Flight delays"',
    )
    expect(output.error).toContain('look at the target directory')
  })
})

describe('tailrace stop', () => {
  it('stops with a savepoint, with drain if asked for', async () => {
    finishing()
    expect(await stop(job.id, flags(), surroundings)).toBe(0)
    expect(output.out).toBe('✔ stopped "Flight delays" with a savepoint: /data/savepoint-a0-0123\n')
    await stop(job.id, flags({ drain: true, savepointPath: 'sp' }), surroundings)
    expect(cluster.triggered).toMatchObject([
      { kind: 'stop', drain: false },
      { kind: 'stop', drain: true, directory: '/home/me/sp' },
    ])
    expect(output.out).toContain('✔ drained and stopped "Flight delays"')
  })

  it('shows the cluster’s words when the job has ended', async () => {
    job.end('FINISHED')
    expect(await stop(job.id, flags(), surroundings)).toBe(1)
    expect(output.error).toContain(
      `TR-CLI-003: Cannot begin a stop of job ${job.id} (Flight delays): it is FINISHED already`,
    )
  })
})

describe('tailrace checkpoint', () => {
  it('takes one now', async () => {
    finishing({ result: { checkpointId: 12, path: 's3://bucket/x/chk-12/_metadata' } })
    expect(await checkpoint(job.id, flags({ full: true }), surroundings)).toBe(0)
    expect(output.out).toBe('✔ checkpoint 12 of "Flight delays": s3://bucket/x/chk-12\n')
  })

  it('refuses what the cluster refuses, and both kinds', async () => {
    expect(await checkpoint(job.id, flags({ incremental: true }), surroundings)).toBe(1)
    expect(output.error).toContain('wanted: CONFIGURED or FULL')
    expect(await checkpoint(job.id, flags({ incremental: true, full: true }), surroundings)).toBe(2)
  })
})

describe('tailrace cancel', () => {
  it('waits for the end', async () => {
    expect(await cancel('Flight delays', flags(), surroundings)).toBe(0)
    expect([output.out, cluster.cancelled]).toEqual(['✔ cancelled "Flight delays"\n', [job.id]])
  })

  it('says when the job was faster', async () => {
    cluster.cancel = () => job.end('FINISHED')
    expect(await cancel(job.id, flags(), surroundings)).toBe(1)
    expect(output.error).toContain('it was FINISHED before that')
  })
})

describe('the job of a command', () => {
  it.each([
    ['its id', () => job.id],
    ['its id in capitals', () => job.id.toUpperCase()],
    ['its name', () => 'Flight delays'],
  ])('is found by %s', async (_, text) => {
    finishing()
    expect(await savepoint(text(), undefined, flags(), surroundings)).toBe(0)
  })

  it('is found by the first digits of its id, when no other begins so', async () => {
    const ids = ['0123abcd', '0123ffff', '4567abcd'].map((start) => start.padEnd(32, '0'))
    for (const id of ids) cluster.submit(id, undefined, id)
    expect(await cancel('4567', flags(), surroundings)).toBe(0)
    expect(cluster.cancelled).toEqual([ids[2]])
    expect(await cancel('0123', flags(), surroundings)).toBe(2)
    expect(output.error).toContain('Cannot tell which job "0123" is: there are 2, wanted: the id of one\n')
    expect(output.error).toContain(ids[0])
    expect(await cancel('012', flags(), surroundings)).toBe(2)
    expect(output.error).toContain('Cannot find the job "012"')
  })

  it('is the running one of those that have its name', async () => {
    cluster.submit('Flight delays').end('FAILED')
    finishing()
    await savepoint('Flight delays', undefined, flags(), surroundings)
    expect(cluster.triggered).toMatchObject([{ jobId: job.id }])
  })

  it('is asked for by listing those that run when there is none', async () => {
    expect(await stop('Flights', flags(), surroundings)).toBe(2)
    expect(output.error).toContain(
      `Cannot find the job "Flights": ${rest.url} has none of this id or name; running are:\n`,
    )
    expect(output.error).toContain(`  ${job.id}  RUNNING  0 s  Flight delays`)
    job.end('FINISHED')
    output.error = ''
    await stop('Flights', flags(), surroundings)
    expect(output.error).toContain('has none of this id or name, and none runs')
  })
})

describe('the cluster of a command', () => {
  it('is named when nobody answers', async () => {
    const { port } = rest
    await rest.close()
    expect(await list({ config: {}, json: false, all: false, address: `localhost:${port}` }, surroundings)).toBe(1)
    expect(output.error).toContain(`TR-CLI-002: Cannot reach a cluster at http://localhost:${port}: `)
    expect(output.error).toContain('--address host:port')
  })

  it('is doubted when it speaks otherwise', async () => {
    expect(await list(flags({ address: `${rest.url}/elsewhere` }), surroundings)).toBe(1)
    expect(output.error).toContain('TR-CLI-003: Cannot find GET /elsewhere/jobs/overview')
  })

  it('is found by the keys of the configuration', async () => {
    expect(await list(flags({ address: undefined, config: { 'rest.port': String(rest.port) } }), surroundings)).toBe(0)
    expect(output.out).toContain('Flight delays')
  })
})

describe('tailrace rescale', () => {
  it('asks for another parallelism, and with --wait until the job runs so', async () => {
    expect(await rescale(job.id, flags({ parallelism: '4', wait: false }), surroundings)).toBe(0)
    expect(output.out).toBe('✔ "Flight delays" is to have parallelism 4\n')
    output.out = ''
    finishing({})
    expect(await rescale(job.id, flags({ parallelism: '3', wait: true, json: true }), surroundings)).toBe(0)
    expect(JSON.parse(output.out)).toEqual({ jobId: job.id, jobName: 'Flight delays', parallelism: 3, running: true })
    expect(cluster.triggered).toMatchObject([
      { kind: 'rescale', parallelism: 4 },
      { kind: 'rescale', parallelism: 3 },
    ])
  })

  it('says why it cannot be', async () => {
    const error = errorToData(new TailraceError('TR-CLUSTER-004', 'Cannot run it with parallelism 4'))
    cluster.onTriggered = () => cluster.finish({ error })
    expect(await rescale(job.id, flags({ parallelism: '4', wait: false }), surroundings)).toBe(1)
    expect(output.error).toContain('TR-CLUSTER-004: Cannot run it with parallelism 4')
    for (const parallelism of ['0', 'many', undefined])
      expect(await rescale(job.id, flags({ parallelism, wait: false }), surroundings)).toBe(2)
  })
})

describe('tailrace shutdown', () => {
  it('ends the cluster, if REST may', async () => {
    expect(await shutdown(flags(), surroundings)).toBe(1)
    expect(output.error).toContain('Cannot end the cluster')
    await rest.close()
    let ended = 0
    rest = await startRest({ dispatcher: cluster, clock, port: 0, shutdown: () => void ended++ })
    expect(await shutdown(flags(), surroundings)).toBe(0)
    expect(ended).toBe(1)
  })
})
