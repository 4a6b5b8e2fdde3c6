/** Leaders that are processes: stopped beyond their lease and woken, killed, started again, over a lock file. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { FromCandidate, ToCandidate } from './candidate.suite.ts'

let directory: string
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-file-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
})

function start(identity: string) {
  const child = fork(new URL('./candidate.suite.ts', import.meta.url), [directory, identity], { execArgv: [] })
  children.push(child)
  const heard: FromCandidate[] = []
  child.on('message', (message: FromCandidate) => heard.push(message))
  const exited = new Promise((resolve) => child.once('exit', resolve))
  return {
    heard,
    exited,
    ask: (what: ToCandidate) => child.send(what),
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    epochs: () => heard.flatMap((message) => (message.type === 'elected' ? [message.epoch] : [])),
  }
}

const until = (holds: () => unknown) => expect.poll(holds, { timeout: 15_000, interval: 10 }).toBeTruthy()

it('a leader that was stopped beyond its lease finds out before it acts', async () => {
  const a = start('a')
  await until(() => a.epochs().length === 1)
  a.ask('act')
  await until(() => a.heard.some(({ type }) => type === 'acted'))
  const b = start('b')
  a.signal('SIGSTOP')
  // It lies in the channel, and is among the first things that the process hears of when it wakes.
  a.ask('act')
  await until(() => b.epochs().length === 1)
  expect(b.epochs()[0]).toBeGreaterThan(a.epochs()[0]!)
  b.ask('act')
  await until(() => b.heard.some(({ type }) => type === 'acted'))
  a.signal('SIGCONT')
  await until(() => a.heard.some(({ type }) => type === 'refused'))
  await until(() => a.heard.some(({ type }) => type === 'lost'))
  expect(a.heard.filter(({ type }) => type === 'acted')).toHaveLength(1)
  expect(a.heard).toContainEqual({ type: 'refused', code: 'TR-HA-001' })
  // And the other goes on.
  b.ask('act')
  await until(() => b.heard.filter(({ type }) => type === 'acted').length === 2)
  expect(b.heard.filter(({ type }) => type === 'lost')).toEqual([])
})

it('a leader that was killed is followed by one of its identity at once, by another when its time is up, and by anyone when it gives up', async () => {
  const a = start('a')
  await until(() => a.epochs().length === 1)
  a.signal('SIGKILL')
  await a.exited
  const again = start('a')
  await until(() => again.epochs().length === 1)
  const b = start('b')
  again.signal('SIGKILL')
  await until(() => b.epochs().length === 1)
  const c = start('c')
  b.ask('release')
  await b.exited
  await until(() => c.epochs().length === 1)
  const epochs = [a, again, b, c].flatMap(({ epochs }) => epochs())
  expect(epochs).toEqual([1, 2, 3, 4])
})
