import { expect, it } from 'vitest'
import { VirtualTime } from '../core/virtual-time.suite.ts'
import { shutdown } from './shutdown.ts'

function closer() {
  const time = new VirtualTime()
  const lines: string[] = []
  const configuration = { 'cluster.services.shutdown-timeout': '7 s' }
  return { time, lines, close: shutdown({ configuration, schedule: time.schedule, log: (text) => lines.push(text) }) }
}

it('waits for what closes', async () => {
  const { close, lines, time } = closer()
  const { promise, resolve } = Promise.withResolvers<void>()
  const closed = close('REST', promise)
  time.advance(6999)
  resolve()
  await closed
  expect([lines, time.pendingMs]).toEqual([[], []])
  await close('REST', undefined)
})

it('leaves what does not, and says so', async () => {
  const { close, lines, time } = closer()
  const closed = close('the cluster', new Promise(() => {}))
  time.advance(7000)
  await closed
  expect(lines).toEqual([
    'Leaves the cluster behind: 7 s were not enough to end it (cluster.services.shutdown-timeout)',
  ])
})

it('goes on when something fails to close', async () => {
  const { close, lines, time } = closer()
  await close('the election', Promise.reject(new Error('the disk is gone')))
  expect([lines, time.pendingMs]).toEqual([['Cannot end the election in peace: the disk is gone'], []])
})
