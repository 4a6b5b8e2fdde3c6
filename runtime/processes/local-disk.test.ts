/** The directories of TaskManagers in a working directory that several of them share: who has which, and what goes when. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { smallDisk } from '../checkpoint/small-disk.suite.ts'
import { ManualClock } from '../core/clock.ts'
import { LocalCopies } from '../taskmanager/local-copies.ts'
import { openLocalDisk } from './local-disk.ts'
import { OWNER_SILENT_MS, type Processes, processesHere } from './process-owner.ts'

let dir: string
const log: string[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-local-disk-'))
  log.length = 0
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** Processes by their ids, with when they began. */
const running = new Map<number, string>()
const processOf = (pid: number, namespace = 'here', host = 'machine'): Processes => ({
  ...{ host, namespace, pid },
  startOf: (id) => running.get(id),
  runs: (id) => running.has(id),
  now: () => Date.now(),
})

async function open(id: string | undefined, processes: Processes, configuration: Record<string, string> = {}) {
  const disk = await openLocalDisk({
    configuration: { 'process.working-dir': 'work', ...configuration },
    ...{ id, cwd: dir, processes },
    log: (text) => void log.push(text),
    schedule: () => () => {},
  })
  // What it does by itself at the start.
  await disk.tend()
  return disk
}

const NAME = `1-10000000001-${'a'.repeat(64)}`
const bytes = new Uint8Array(300).fill(3)
const owned = () =>
  existsSync(join(dir, 'work')) ? readdirSync(join(dir, 'work')).map((name) => name.replace(/_[^_]*$/, '')) : []

describe('the local disk of a TaskManager', () => {
  beforeEach(() => {
    running.clear()
    running.set(1, 'monday').set(2, 'monday')
  })

  it('is a directory of its own, which comes with the first copy and goes with the process', async () => {
    const disk = await open('tm-1', processOf(1))
    expect(owned()).toEqual([])
    await disk.put(`job/${NAME}`, bytes)
    expect(owned()).toEqual(['tm_tm-1'])
    expect(await disk.get(`job/${NAME}`, { offset: 100, length: 500 })).toEqual(bytes.slice(100))
    expect(await disk.get(`job/${NAME}`, { offset: 0, length: 10 })).toEqual(bytes.slice(0, 10))
    expect(await disk.get('job/nothing', { offset: 0, length: 10 })).toBeUndefined()
    const [own] = readdirSync(join(dir, 'work')) as [string]
    await disk.delete([`job/${NAME}`, 'job/nothing'])
    expect(readdirSync(join(dir, 'work', own, 'localState'))).toEqual([])
    await disk.put(`job/${NAME}`, bytes)
    await disk.close()
    expect(owned()).toEqual([])
    expect(log).toEqual([])
  })

  it('is not touched by others while its process lives, and removed by the next one when it was killed', async () => {
    const [a, b] = [await open('tm-1', processOf(1)), await open('tm-2', processOf(2))]
    await a.put(`job/${NAME}`, bytes)
    await b.put(`job/${NAME}`, bytes)
    await (await open('tm-3', processOf(3))).tend()
    expect(owned().sort()).toEqual(['tm_tm-1', 'tm_tm-2'])
    running.delete(1)
    await open('tm-3', processOf(3))
    expect(owned()).toEqual(['tm_tm-2'])
    expect(log).toEqual([
      expect.stringMatching(/^Removed local copies of state in .*tm_tm-1_.*: the process that they were of is gone$/),
    ])
  })

  it('is removed when another process has got the number of the one that was killed', async () => {
    await (await open('tm-1', processOf(1))).put(`job/${NAME}`, bytes)
    running.set(1, 'tuesday')
    await open('tm-2', processOf(2))
    expect(owned()).toEqual([])
  })

  it('of a process that cannot be seen is removed when it has been silent for long', async () => {
    await (await open('tm-1', processOf(1, 'a container'))).put(`job/${NAME}`, bytes)
    const [own] = readdirSync(join(dir, 'work')) as [string]
    running.clear()
    await open('tm-2', processOf(1, 'another', 'another machine'))
    expect(owned()).toEqual(['tm_tm-1'])
    const silentSince = (Date.now() - OWNER_SILENT_MS - 1000) / 1000
    utimesSync(join(dir, 'work', own, 'owner'), silentSince, silentSince)
    await open('tm-2', processOf(1, 'another', 'another machine'))
    expect(owned()).toEqual([])
  })

  it('renews the time by which others see that it is there', async () => {
    const disk = await open('tm-1', processOf(1, 'a container'))
    await disk.put(`job/${NAME}`, bytes)
    const [own] = readdirSync(join(dir, 'work')) as [string]
    utimesSync(join(dir, 'work', own, 'owner'), 1, 1)
    await disk.tend()
    await open('tm-2', processOf(1, 'another', 'another machine'))
    expect(owned()).toEqual(['tm_tm-1'])
  })

  it('is that of the killed process of its name, with what is there', async () => {
    await (await open('tm-1', processOf(1))).put(`job/${NAME}`, bytes)
    running.delete(1)
    const disk = await open('tm-1', processOf(2))
    expect(disk.found).toEqual([{ key: `job/${NAME}`, size: 300 }])
    expect(await disk.get(`job/${NAME}`, { offset: 0, length: 300 })).toEqual(bytes)
    expect([owned(), log]).toEqual([['tm_tm-1'], []])
    await disk.close()
    expect(owned()).toEqual([])
  })

  it('is that of the container before, when it was started again', async () => {
    await (await open('pod-0', processOf(1, 'a container', 'pod-0'))).put(`job/${NAME}`, bytes)
    const disk = await open('pod-0', processOf(1, 'the next one', 'pod-0'))
    expect(disk.found).toHaveLength(1)
  })

  it('is not that of a living process of the same name, nor that of one without a name', async () => {
    const first = await open('tm-1', processOf(1))
    await first.put(`job/${NAME}`, bytes)
    await (await open(undefined, processOf(2))).put(`job/${NAME}`, bytes)
    running.delete(2)
    const disk = await open('tm-1', processOf(3))
    expect(disk.found).toEqual([])
    expect((await open(undefined, processOf(3))).found).toEqual([])
    expect(await first.get(`job/${NAME}`, { offset: 0, length: 300 })).toEqual(bytes)
  })

  it('leaves alone what is not of TaskManagers, and what has just been made', async () => {
    mkdirSync(join(dir, 'work', 'tm_fresh_x'), { recursive: true })
    mkdirSync(join(dir, 'work', 'photos'))
    writeFileSync(join(dir, 'work', 'tm_file'), '')
    await open('tm-1', processOf(1))
    expect(readdirSync(join(dir, 'work')).sort()).toEqual(['photos', 'tm_file', 'tm_fresh_x'])
  })

  it('uses several directories in turn', async () => {
    const disk = await open('tm-1', processOf(1), { 'execution.checkpointing.local-backup.dirs': 'disk1, disk2' })
    const names = ['0', '1', '2', '3'].map((end) => `job/1-10000000001-${'a'.repeat(63)}${end}`)
    for (const name of names) await disk.put(name, bytes)
    for (const one of ['disk1', 'disk2']) {
      const [own] = readdirSync(join(dir, one)) as [string]
      expect(readdirSync(join(dir, one, own, 'localState/job'))).toHaveLength(2)
    }
    for (const name of names) expect(await disk.get(name, { offset: 0, length: 300 })).toEqual(bytes)
    await disk.close()
    expect([readdirSync(join(dir, 'disk1')), readdirSync(join(dir, 'disk2'))]).toEqual([[], []])
  })

  it('has the bound that is given, else half of what is free', async () => {
    const given = await open('tm-1', processOf(1), { 'tailrace.local-backup.max-size': '2mb' })
    expect(given.bytesMax).toBe(2 * 2 ** 20)
    const { bytesMax } = await open('tm-1', processOf(1))
    expect(bytesMax).toBeGreaterThan(0)
  })

  it('that is full makes copies end, and nothing else', async ({ skip }) => {
    const small = smallDisk(join(dir, 'small'), '64k', 'local copies of state')
    if (small === undefined) return skip()
    try {
      const configuration = {
        'execution.checkpointing.local-backup.dirs': small.path,
        'tailrace.local-backup.max-size': '1g',
      }
      const disk = await open('tm-1', processOf(1), configuration)
      const copies = new LocalCopies({ disk, clock: new ManualClock(), log: (text) => void log.push(text) })
      const own = copies.of('job', { keeps: true, reads: true })
      for (let i = 1; i < 5; i++) await own.write(1, `shared/1-${i}-${'b'.repeat(64)}`, new Uint8Array(30_000))
      await copies.clear()
      expect(log).toEqual([expect.stringMatching(/^Cannot keep local copies of state in .*ENOSPC/)])
      expect(copies.bytes).toBe(0)
      await disk.close()
      expect(readdirSync(small.path)).toEqual([])
    } finally {
      small.unmount()
    }
  })
})

describe('processes of this machine', () => {
  it('are known by their ids and the time at which they began', () => {
    const { pid, runs, startOf, namespace } = processesHere
    expect([pid, runs(pid)]).toEqual([process.pid, true])
    expect(startOf(pid)).toBe(startOf(pid))
    expect(namespace).not.toBe('')
    if (existsSync('/proc/self/stat')) {
      const field = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ')[19]
      expect(startOf(pid)).toBe(field)
    }
  })
})
