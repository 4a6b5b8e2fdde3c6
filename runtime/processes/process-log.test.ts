import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProcessLog } from './process-log.ts'

const line = (n: number) => `line ${n}\n`
const textOf = async (log: ProcessLog, name: string, offset = 0, length = 1000) =>
  Buffer.from((await log.readLog(name, offset, length))!.bytes).toString()

describe('in memory', () => {
  it('keeps the end of what was written', async () => {
    const log = new ProcessLog({ name: 'jobmanager', bytesMax: 20, now: () => 7 })
    for (let n = 0; n < 10; n++) log.write('log', line(n))
    expect(await textOf(log, 'jobmanager.log')).toBe('line 8\nline 9\n')
    expect(await log.listLogs()).toEqual([
      { name: 'jobmanager.log', size: 14, modifiedMs: 7 },
      { name: 'jobmanager.out', size: 0, modifiedMs: 7 },
    ])
    log.write('out', 'x'.repeat(50))
    expect(await textOf(log, 'jobmanager.out')).toBe('x'.repeat(20))
  })

  it('is read from any place, also from its end', async () => {
    const log = new ProcessLog({ name: 'jobmanager' })
    log.write('log', 'abcdef')
    expect(await textOf(log, 'jobmanager.log', 2, 2)).toBe('cd')
    expect(await log.readLog('jobmanager.log', -2, 10)).toMatchObject({ offset: 4, size: 6 })
    expect(await textOf(log, 'jobmanager.log', 99)).toBe('')
    expect(await log.readLog('other.log', 0, 1)).toBeUndefined()
  })
})

describe('in a directory', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tailrace-log-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  it('begins a new file when one is full, and keeps as many as it may', async () => {
    const log = new ProcessLog({ name: 'taskmanager', dir, bytesMax: 14, keptMax: 2 })
    for (let n = 0; n < 9; n++) log.write('log', line(n))
    expect(readdirSync(dir).sort()).toEqual([
      'taskmanager.log',
      'taskmanager.log.1',
      'taskmanager.log.2',
      'taskmanager.out',
    ])
    expect(readFileSync(join(dir, 'taskmanager.log'), 'utf8')).toBe(line(8))
    expect(await textOf(log, 'taskmanager.log.1')).toBe(line(6) + line(7))
    expect(await textOf(log, 'taskmanager.log.2')).toBe(line(4) + line(5))
  })

  it('goes on with the file of the process before', async () => {
    new ProcessLog({ name: 'taskmanager', dir }).write('log', line(1))
    const log = new ProcessLog({ name: 'taskmanager', dir })
    log.write('log', line(2))
    expect(await textOf(log, 'taskmanager.log', -7)).toBe(line(2))
    expect(await textOf(log, 'taskmanager.log')).toBe(line(1) + line(2))
  })

  it('shows no other file of the directory', async () => {
    writeFileSync(join(dir, 'secrets.log'), 'hunter2')
    const log = new ProcessLog({ name: 'taskmanager', dir })
    expect((await log.listLogs()).map(({ name }) => name)).toEqual(['taskmanager.log', 'taskmanager.out'])
    for (const name of ['secrets.log', '../secrets.log', 'taskmanager./../secrets.log', 'taskmanager.log.x'])
      expect(await log.readLog(name, 0, 10)).toBeUndefined()
  })
})
