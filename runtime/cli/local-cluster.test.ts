/** A cluster of processes as a user has one: started, given jobs, rescaled, looked at, stopped. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const command = fileURLToPath(new URL('./main.ts', import.meta.url))
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-cluster-'))
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(dir, 'node_modules'))
})
afterAll(async () => {
  await tailrace('cluster', 'stop', '--dir', 'cluster')
  rmSync(dir, { recursive: true })
})

const WAIT = { timeout: 10_000 }

async function tailrace(...args: string[]) {
  const child = spawn(process.execPath, [command, ...args], { cwd: dir, env: { ...process.env, NO_COLOR: '1' } })
  const out = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (out[name] += chunk))
  const [code] = await once(child, 'close')
  return { code, ...out }
}
const start = (...args: string[]) =>
  tailrace(
    'cluster',
    'start',
    '--dir',
    'cluster',
    '--port',
    '0',
    '--metrics-port',
    '0',
    '-D',
    'jobmanager.rpc.port=0',
    ...args,
  )

/** One that nobody has asked for its exit code is none. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const JOB = `
  import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
  import { dataGenSource } from 'tailrace/connectors/datagen'
  export default async function main(env: StreamExecutionEnvironment) {
    const { count, broken } = env.parameters
    const generate = (i: number) => {
      if (broken !== undefined && i > 5) throw new Error('no more than five')
      return i
    }
    const source = dataGenSource({ generate, recordsPerSecond: 500, ...(count ? { count: Number(count) } : {}) })
    env
      .fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers')
      .keyBy((n) => n % 5)
      .reduce((a, b) => a + b)
      .map((n) => (console.log('in a slot'), 'sum ' + n))
      .print()
    await env.execute(env.parameters.name)
  }`

it('runs jobs of a file on processes in the background, and ends with nothing left', async () => {
  writeFileSync(join(dir, 'job.ts'), JOB)
  expect(await tailrace('cluster', 'stop', '--dir', 'cluster')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('No cluster runs'),
  })

  const started = await start(
    '--taskmanagers',
    '2',
    '--slots',
    '2',
    '--json',
    '-D',
    `execution.checkpointing.dir=${join(dir, 'checkpoints')}`,
  )
  expect(started).toMatchObject({ code: 0, stderr: '' })
  const { webUrl, processes } = JSON.parse(started.stdout)
  expect(processes.map(({ name }: any) => name)).toEqual(['jobmanager', 'taskmanager-1', 'taskmanager-2'])
  expect(readFileSync(join(dir, 'cluster/taskmanager-1.pid'), 'utf8')).toBe(`${processes[1].pid}\n`)
  const get = async (path: string): Promise<any> => (await fetch(webUrl + path)).json()
  const text = async (path: string) => (await fetch(webUrl + path)).text()
  const on = ['-m', webUrl]
  const at = ['--address', webUrl]
  expect(await get('/overview')).toMatchObject({ taskmanagers: 2, 'slots-total': 4 })
  expect((await start()).stderr).toContain('one runs there')

  // Followed to their ends, with the exit codes of an embedded cluster.
  const finished = await tailrace('run', 'job.ts', ...on, '-p', '2', '--name', 'short', '--count', '50')
  expect(finished).toMatchObject({ code: 0, stderr: expect.stringContaining('✔ short finished') })
  expect(await text('/jobmanager/stdout')).toContain('sum ')
  const failed = await tailrace('run', 'job.ts', ...on, '-p', '1', '--name', 'wrong', '--broken', 'yes')
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('no more than five') })
  expect(await get('/jars')).toMatchObject({ files: [] })

  // Left alone, over both TaskManagers, with another parallelism.
  const detached = await tailrace('run', 'job.ts', ...on, '-d', '-p', '1', '--name', 'long')
  expect(detached).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{32}\n$/) })
  const id = detached.stdout.trim()
  const rescaled = await tailrace('rescale', 'long', '-p', '4', '--wait', ...at)
  expect(rescaled).toMatchObject({ code: 0, stdout: '✔ "long" runs with parallelism 4\n' })
  const { vertices } = await get(`/jobs/${id}`)
  expect(vertices.map(({ parallelism, tasks }: any) => [parallelism, tasks.RUNNING + tasks.FINISHED])).toEqual([
    [4, 4],
    [4, 4],
  ])
  const { taskmanagers } = await get(`/jobs/${id}/vertices/${vertices[1].id}/taskmanagers`)
  expect(taskmanagers.map((one: any) => one['taskmanager-id']).sort()).toEqual(['taskmanager-1', 'taskmanager-2'])
  const [first, wish] = await get(`/jobs/${id}/rescales/history`)
  expect([first, wish]).toMatchObject([
    { triggerCause: 'INITIAL_SCHEDULE', terminalState: 'COMPLETED' },
    { triggerCause: 'UPDATE_REQUIREMENT', terminalState: 'COMPLETED' },
  ])
  expect(Object.values(wish.vertices)).toMatchObject([{ preRescaleParallelism: 1, postRescaleParallelism: 4 }, {}])
  expect(await tailrace('rescale', 'long', '-p', '400', ...at)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('TR-CLUSTER-004'),
  })

  // Each process tells of itself.
  expect(await text('/taskmanagers/taskmanager-2/log')).toContain('Registered with the JobManager')
  expect(await text('/taskmanagers/taskmanager-1/stdout')).toContain('in a slot')
  const { threadInfos } = await get('/taskmanagers/taskmanager-1/thread-dump')
  expect(threadInfos.map(({ threadName }: any) => threadName)[0]).toBe('main')
  expect(threadInfos[1].stringifiedThreadInfo).toContain('(long), RUNNING')

  // And counts: by REST what the JobManager was told, by Prometheus what the process sees.
  const sums = `/jobs/${id}/vertices/${vertices[1].id}`
  // Which of them have keys is up to the keys.
  for (let subtask = 0; subtask < 4; subtask++)
    expect((await get(`${sums}/subtasks/${subtask}/metrics`)).metrics).toContainEqual({ id: 'numRecordsIn' })
  const taken = async () => (await get(`${sums}/subtasks/metrics?get=numRecordsIn&agg=sum`))[0].sum
  await expect.poll(taken, WAIT).toBeGreaterThan(0)
  for (const name of ['taskmanager-1', 'taskmanager-2']) {
    const {
      metrics: [heap],
    } = await get(`/taskmanagers/${name}/metrics?get=Status.JVM.Memory.Heap.Used`)
    expect(Number(heap.value)).toBeGreaterThan(1e6)
    const [, port] = /Metrics on port (\d+)/.exec(await text(`/taskmanagers/${name}/log`))!
    const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const own = `tm_id="${name.replace('-', '_')}"`
    expect(scraped).toMatch(new RegExp(`^flink_taskmanager_Status_JVM_Memory_Heap_Used\\{.*${own}.*\\} \\d+`, 'm'))
    const counts = new RegExp(`^flink_taskmanager_job_task_numRecordsIn\\{.*task_id="${vertices[1].id}"`)
    const counted = scraped.split('\n').filter((line) => counts.test(line))
    // A subtask in each of its two slots.
    expect(counted).toHaveLength(2)
    for (const line of counted) expect(line).toContain(`${own},job_id="${id}",job_name="long"`)
    expect(scraped).not.toContain('flink_jobmanager')
  }

  const stopped = await tailrace('cluster', 'stop', '--dir', 'cluster')
  expect(stopped).toMatchObject({ code: 0, stdout: '✔ stopped jobmanager, taskmanager-1, taskmanager-2\n' })
  expect(processes.filter(({ pid }: any) => isRunning(pid))).toEqual([])
  expect(existsSync(join(dir, 'cluster/cluster.json'))).toBe(false)
}, 120_000)

it('leaves nothing of a cluster that cannot be started, and says why', async () => {
  const failed = await start('--dir', 'other', '-D', 'taskmanager.memory.task.heap.size=much')
  expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining('taskmanager.memory.task.heap.size') })
  const late = await start('--dir', 'other', '-D', 'security.ssl.internal.enabled=true')
  expect(late.code).toBe(1)
  expect(late.stderr).toContain('Cannot start the cluster: its ')
  expect(existsSync(join(dir, 'other/cluster.json'))).toBe(false)
}, 60_000)
