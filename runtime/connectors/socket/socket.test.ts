import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import { sourceSuite } from '../source.suite.ts'
import { SourceDriver } from '../source-driver.ts'
import { type SocketTextOptions, socketTextSource } from './index.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

async function serve(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function open(port: number, options: Partial<SocketTextOptions> = {}, clock = new ManualClock()) {
  const driver = new SourceDriver(socketTextSource({ host: '127.0.0.1', port, ...options }), { clock })
  cleanups.push(() => void driver.close())
  return driver
}

const lines = Array.from({ length: 60 }, (_, i) => `line ${i} é`)

sourceSuite(
  'socketTextSource()',
  async () => ({
    source: socketTextSource({ host: '127.0.0.1', port: await serve((socket) => socket.end(lines.join('\n'))) }),
    expected: lines,
    ordered: true,
  }),
  { replay: 'a socket cannot be read twice' },
)

describe('socketTextSource()', () => {
  it('cuts at line ends, across packets and within characters, and gives the rest at the close', async () => {
    const bytes = Buffer.from('one\r\ntwö\n\nrest')
    const port = await serve((socket) => {
      socket.setNoDelay(true)
      let at = 0
      const next = () => {
        if (at < bytes.length) socket.write(bytes.subarray(at, ++at), () => setTimeout(next, 1))
        else socket.end()
      }
      next()
    })
    const driver = open(port)
    await driver.untilEnd()
    expect(driver.values).toEqual(['one', 'twö', '', 'rest'])
  })

  it('cuts at any delimiter', async () => {
    const port = await serve((socket) => socket.end('a||b|c||\r\n||'))
    const driver = open(port, { delimiter: '||' })
    await driver.untilEnd()
    expect(driver.values).toEqual(['a', 'b|c', '\r\n'])
  })

  it('refuses a record above its limit', async () => {
    const port = await serve((socket) => socket.write('x'.repeat(1000)))
    const driver = open(port, { recordBytesMax: 100 })
    await expect(driver.untilEnd()).rejects.toMatchObject({ code: 'TR-RECORD-004' })
  })

  it('fails when no one listens', async () => {
    const port = await serve(() => {})
    for (const cleanup of cleanups.splice(0)) cleanup()
    await expect(open(port).untilEnd()).rejects.toThrow(
      new RegExp(`Cannot read from 127.0.0.1:${port}: .*ECONNREFUSED`),
    )
  })

  it('connects again after a delay that doubles, and gives up after its retries', async () => {
    let connections = 0
    const port = await serve((socket) => {
      connections++
      if (connections === 3) socket.end('hello\n')
      else socket.end()
    })
    const clock = new ManualClock()
    const driver = open(port, { retries: 2, retryDelay: 100 }, clock)
    const reader = driver.readers[0]!
    const delays: number[] = []
    await driver.until(() => {
      if (reader.wakeAtMs < Infinity && reader.wakeAtMs > clock.monotonic()) {
        delays.push(reader.wakeAtMs - clock.monotonic())
        clock.set(reader.wakeAtMs)
      }
      return reader.status === 'end'
    })
    expect(driver.values).toEqual(['hello'])
    // Twice in vain, then data: the count begins anew and runs out.
    expect(delays).toEqual([100, 200, 100, 200])
    expect(connections).toBe(5)
  })

  it('counts an unfinished record of a connection that broke', async () => {
    let connections = 0
    const port = await serve((socket) => {
      if (connections++ === 0) socket.write('whole\nunfin', () => setTimeout(() => socket.resetAndDestroy(), 20))
      else socket.end('after\n')
    })
    const clock = new ManualClock()
    const driver = open(port, { retries: 1, retryDelay: 10 }, clock)
    await driver.until(() => {
      if (driver.readers[0]!.wakeAtMs < Infinity) clock.set(driver.readers[0]!.wakeAtMs)
      return driver.values.includes('after')
    })
    expect(driver.values).toEqual(['whole', 'after'])
    expect(driver.counters.get('numRecordsInErrors')).toBe(1)
  })

  it('lets the sender wait while its buffer is full', async () => {
    let accepted = 0
    const port = await serve((socket) => {
      const send = () => {
        while (socket.write(`${'x'.repeat(9_999)}\n`)) accepted++
        accepted++
        socket.once('drain', send)
      }
      send()
    })
    const driver = open(port, { bufferBytesMax: 100_000 })
    await driver.until(() => driver.values.length > 0)
    // No one polls now: sender, kernel and buffer fill up, and then nothing moves.
    let before = -1
    while (before !== accepted) {
      before = accepted
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await driver.until(() => driver.values.length > before)
    expect(accepted).toBeGreaterThan(before)
  })

  it('is read by the first subtask only', async () => {
    const port = await serve((socket) => socket.end('a\n'))
    const driver = new SourceDriver(socketTextSource({ host: '127.0.0.1', port }), { parallelism: 2 })
    cleanups.push(() => void driver.close())
    await driver.untilEnd()
    expect(driver.readers.map((r) => r.output.values)).toEqual([['a'], []])
  })

  it('refuses options that cannot work', () => {
    expect(() => socketTextSource({ port: 0 })).toThrow(/port 0/)
    expect(() => socketTextSource({ port: 80, delimiter: '' })).toThrow(TypeError)
    expect(() => socketTextSource({ port: 80, retries: -1 })).toThrow(RangeError)
  })
})
