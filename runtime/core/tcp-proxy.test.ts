import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePorts } from '../../scripts/lab/server.ts'
import { SeededTime } from '../checkpoint/seeded-time.suite.ts'
import { randomFaults, TcpProxy } from './tcp-proxy.suite.ts'

describe('TcpProxy', () => {
  let proxy: TcpProxy
  let echo: Server
  let received = ''
  const clients: Socket[] = []

  beforeEach(async () => {
    proxy = await TcpProxy.listen((await freePorts(1))[0]!)
    received = ''
    echo = createServer((socket) => {
      socket.on('error', () => {}).on('data', (piece) => (received += piece))
      socket.pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(echo, 'listening')
    proxy.target = (echo.address() as { port: number }).port
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await proxy.close()
    echo.close()
  })

  /** What a client saw: the bytes, and how its connection ended. */
  async function client() {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    clients.push(socket)
    const seen = { socket, text: '', ended: false, error: '' }
    socket.on('data', (piece) => (seen.text += piece)).on('end', () => (seen.ended = true))
    socket.on('error', (error: NodeJS.ErrnoException) => (seen.error = error.code!))
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    return seen
  }
  const closed = (socket: Socket) => (socket.destroyed ? undefined : once(socket, 'close').catch(() => {}))

  it('passes what comes, either way', async () => {
    const one = await client()
    one.socket.write('hello')
    await expect.poll(() => one.text).toBe('hello')
    one.socket.end()
    await closed(one.socket)
    await expect.poll(() => proxy.open).toBe(0)
  })

  it('passes many bytes to a slow reader', async () => {
    const one = await client()
    const sent = 'x'.repeat(8 << 20)
    one.socket.end(sent)
    await expect.poll(() => one.text.length, { timeout: 10_000 }).toBe(sent.length)
  })

  it('cuts a connection after so many bytes of answers', async () => {
    proxy.fault = (n) => (n === 0 ? { after: { bytes: 3, of: 'answers', then: 'cut' } } : undefined)
    const [one, two] = [await client(), await client()]
    one.socket.write('hello')
    two.socket.write('hello')
    await closed(one.socket)
    expect(one.error).toBe('ECONNRESET')
    expect('hel'.startsWith(one.text)).toBe(true)
    await expect.poll(() => two.text).toBe('hello')
  })

  it.each(['requests', 'answers'] as const)(
    'swallows %s and passes the rest, on connections there are and on new ones',
    async (direction) => {
      const one = await client()
      one.socket.write('hello')
      await expect.poll(() => one.text).toBe('hello')
      proxy.swallow(direction)
      proxy.fault = () => ({ swallow: direction })
      const two = await client()
      one.socket.write(' you')
      two.socket.write(' and you')
      one.socket.end()
      two.socket.end()
      await expect.poll(() => received.length).toBe(direction === 'requests' ? 5 : 17)
      expect([one.text, two.text, one.ended, two.ended]).toEqual(['hello', '', false, false])
      expect(proxy.open).toBe(2)
    },
  )

  it('ends one half of a connection', async () => {
    proxy.fault = () => ({ after: { bytes: 3, of: 'answers', then: 'half' } })
    const one = await client()
    one.socket.write('hello')
    await expect.poll(() => one.ended).toBe(true)
    expect(one.text).toBe('hel')
    expect([one.error, proxy.open]).toEqual(['', 1])
  })

  it('keeps a connection open and passes nothing more, until it is cut', async () => {
    proxy.fault = () => ({ after: { bytes: 7, of: 'requests', then: 'silent' } })
    const one = await client()
    one.socket.write('hello')
    await expect.poll(() => one.text).toBe('hello')
    one.socket.write('again')
    one.socket.write('more')
    await expect.poll(() => received).toBe('helloag')
    expect([one.ended, one.error, proxy.open]).toEqual([false, '', 1])
    proxy.cut()
    await closed(one.socket)
    expect([one.text, one.error, received]).toEqual(['hello', 'ECONNRESET', 'helloag'])
  })

  it('refuses while it is down', async () => {
    const one = await client()
    proxy.down()
    await closed(one.socket)
    const two = await client()
    await closed(two.socket)
    expect([two.error, two.text]).toEqual(['ECONNRESET', ''])
    proxy.up()
    const three = await client()
    three.socket.write('hello')
    await expect.poll(() => three.text).toBe('hello')
  })

  it('keeps the order of what it delays', async () => {
    proxy.fault = () => ({ delayMs: 5 })
    const one = await client()
    const digits = Array.from({ length: 200 }, (_, i) => `${i},`)
    for (const digit of digits) {
      one.socket.write(digit)
      if (digit.endsWith('7,')) await new Promise(setImmediate)
    }
    await expect.poll(() => one.text).toBe(digits.join(''))
  })

  it('keeps the order when connections become slow, and fast again', async () => {
    const one = await client()
    one.socket.write('a')
    await expect.poll(() => received).toBe('a')
    proxy.delayMs = 30
    one.socket.write('b')
    await new Promise((resolve) => setTimeout(resolve, 5))
    proxy.delayMs = 0
    one.socket.write('c')
    await expect.poll(() => one.text).toBe('abc')
  })
})

describe('randomFaults()', () => {
  const of = (seed: number, share: number) => {
    const fault = randomFaults(new SeededTime(seed).random, { share, bytes: 100, delayMs: 10 })
    return Array.from({ length: 200 }, (_, i) => fault(i)!)
  }
  it('follows from its seed', () => {
    expect(of(1, 0.5)).toEqual(of(1, 0.5))
    expect(of(1, 0.5)).not.toEqual(of(2, 0.5))
  })
  it('has every kind, to its share of connections', () => {
    const ends = of(3, 0.5).map(({ after }) => after && `${after.then} ${after.of}`)
    expect(new Set(ends).size).toBe(7)
    expect(of(3, 0).every(({ after }) => after === undefined)).toBe(true)
  })
})
