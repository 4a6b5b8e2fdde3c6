import { afterEach, expect, it } from 'vitest'
import { openProcessLog } from './process-log.ts'
import type { Terminal } from './terminal.ts'

const out: string[] = []
const errors: string[] = []
const terminal = { error: (text: string) => errors.push(text) } as unknown as Terminal
const open = () =>
  openProcessLog('jobmanager', undefined, terminal, {
    write: (text: string | Uint8Array) => out.push(String(text)) > 0,
  })
afterEach(() => {
  out.length = 0
  errors.length = 0
})

it('is text on standard error, without secrets of the configuration', async () => {
  const { log, configure, logs } = open()
  configure({ 's3.secret-key': 'hunter2', 's3.region': 'eu-1', 'db.password': 'of' })
  log('Cannot open s3://x with hunter2 in eu-1 of x')
  expect(errors).toEqual([expect.stringMatching(/^\S+Z Cannot open s3:\/\/x with \*{6} in eu-1 of x\n$/)])
  expect(out).toEqual([])
  expect(Buffer.from((await logs.readLog('jobmanager.log', 0, 1000))!.bytes).toString()).not.toContain('hunter2')
})

it('is a JSON object for each line on standard output, what jobs print too', async () => {
  const { log, print, configure, logs } = open()
  configure({ 'tailrace.log.format': 'json', 's3.secret-key': 'hunter2' })
  log('Leads as "jm-0"')
  log('TR-HA-002 Cannot read hunter2\nor more')
  print('stdout', 'one\ntw')
  print('stderr', 'careful\n')
  print('stdout', 'o\n')
  expect(out.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'info', logger: 'jobmanager', message: 'Leads as "jm-0"', time: expect.stringMatching(/Z$/) },
    { level: 'error', logger: 'jobmanager', code: 'TR-HA-002', message: 'TR-HA-002 Cannot read ******\nor more' },
    { logger: 'stdout', message: 'one' },
    { logger: 'stderr', message: 'careful' },
    { logger: 'stdout', message: 'two' },
  ])
  expect(out.every((line) => line.indexOf('\n') === line.length - 1)).toBe(true)
  expect(errors).toEqual([])
  expect(Buffer.from((await logs.readLog('jobmanager.out', 0, 1000))!.bytes).toString()).toBe('one\ntwcareful\no\n')
})

it('refuses another format', () => {
  expect(() => open().configure({ 'tailrace.log.format': 'xml' })).toThrow(/tailrace\.log\.format/)
})
