import { describe, expect, it } from 'vitest'
import type { TailraceError } from '../../core/errors.ts'
import { internalTls } from '../../rpc/tls/internal-tls.ts'
import { BufferPool } from '../buffer-pool.ts'
import { DataPort } from './data-port.ts'
import { channelKey, SlotLinks } from './slot-links.ts'
import { connectSockets, listenSockets, type SocketTls } from './sockets.ts'
import { type Side, TestChannel } from './two-slots.suite.ts'

// Made for this test alone; good for a hundred years.
const ours = pair(
  `-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIUQXsLCpR17TW6FQ4lv87n/+Nd7rswCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFc2xvdHMwIBcNMjYxMTIxMTgyNTE4WhgPMjEyNjEwMjgxODI1
MThaMBAxDjAMBgNVBAMMBXNsb3RzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
k+6quudkRuPNn/8YwGTUZwG5U4cZi4DJfCdTdMtxEG9+abG1OENFdIHMJHaPDjXP
XjQ96OZJ+EwGUMkLwIWtuqNTMFEwHQYDVR0OBBYEFFurH1L/4kL9LKTNcF5po5Wf
fzstMB8GA1UdIwQYMBaAFFurH1L/4kL9LKTNcF5po5WffzstMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAL8aTOeX926FYuba3TNPF4vpzt5wlwSA
XoOCW1CSTX3NAiAr5oIjqifB7reOy8iUUEZiEKmF06t1jjhd67hcLTNUmg==
-----END CERTIFICATE-----`,
  `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIsN+OLFA/4ZWJRTD
DFPxJzXeNMWECXcWdc6J7IMm6zihRANCAAST7qq652RG482f/xjAZNRnAblThxmL
gMl8J1N0y3EQb35psbU4Q0V0gcwkdo8ONc9eND3o5kn4TAZQyQvAha26
-----END PRIVATE KEY-----`,
)
const strangers = pair(
  `-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUTSc1kPrD0uKFs9Gva/S4EDA3UjkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJc3RyYW5nZXJzMCAXDTI2MTEyMTE4MjUxOFoYDzIxMjYxMDI4
MTgyNTE4WjAUMRIwEAYDVQQDDAlzdHJhbmdlcnMwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT2Vs/8OmipHXTiwi0uJzeXq4yBiMCwV7RSLXg6tbrOvJllTNxEZtZS
WZ6wNzMQVFHBi7jAePEBr3tHAF6lJeHPo1MwUTAdBgNVHQ4EFgQUTFIzfXs0oMrz
r4K0QU8KC2sLCrkwHwYDVR0jBBgwFoAUTFIzfXs0oMrzr4K0QU8KC2sLCrkwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAyR1MUS8V+aZCDuogKwOWe
h1ko3Ggr5FGgBqwOW1m6ngIgFeNE+Tnz7OQfVhH69DF7Wtf+qyELdy8cwICeokYi
X0E=
-----END CERTIFICATE-----`,
  `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDkbYakPdAeR8OcmN
8jERl3aD+4Mg8rsM7flSY+anhoehRANCAAT2Vs/8OmipHXTiwi0uJzeXq4yBiMCw
V7RSLXg6tbrOvJllTNxEZtZSWZ6wNzMQVFHBi7jAePEBr3tHAF6lJeHP
-----END PRIVATE KEY-----`,
)

function pair(cert: string, key: string): SocketTls {
  const options = { enabled: 'true', keystore: 'own', truststore: 'authorities' }
  const keys = Object.entries(options).map(([name, value]) => [`security.ssl.internal.${name}`, value])
  const readFile = (path: string) => Buffer.from(path === 'own' ? `${cert}\n${key}` : cert)
  return internalTls(Object.fromEntries(keys), { readFile })!
}

async function side(index: number, tls?: SocketTls): Promise<Side> {
  const port = await DataPort.listen({ host: '127.0.0.1', port: 0, listen: listenSockets(tls) })
  const made: Side = {
    index,
    port,
    links: new SlotLinks({
      dataPort: port,
      connect: connectSockets(tls),
      wake: () => void made.wakes++,
      openTimeoutMs: 5000,
    }),
    pool: new BufferPool(BufferPool.allocate(32)),
    wakes: 0,
    lost: [],
  }
  made.links.onLost = (peer, error) => void made.lost.push(`${peer} ${error.message}`)
  return made
}

function begin(sides: Side[]): void {
  const peers = Object.fromEntries(sides.map(({ port }, index) => [index, port.address]))
  for (const { index, links, pool } of sides)
    links.begin({ jobId: 'job', attempt: 0, slotIndex: index, peers, token: 'secret', pool })
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Sends through all channels, back and forth, until everything has come. */
async function exchange(sides: Side[], channels: TestChannel[], records: number): Promise<void> {
  const sent = channels.map(() => 0)
  while (channels.some(({ came }) => came.length < records)) {
    for (const [i, { writer, overflow, gate }] of channels.entries()) {
      writer.drain()
      if (overflow.size === 0 && !writer.blocked() && sent[i]! < records) {
        for (let n = 0; n < 200 && sent[i]! < records; n++, sent[i]!++)
          writer.process({ n: sent[i], text: 'x'.repeat(sent[i]! % 500) }, 0)
      }
      writer.flushAll()
      gate.take(() => false)
    }
    for (const { links } of sides) links.flush()
    await turn()
    for (const { lost } of sides) if (lost.length > 0) throw new Error(lost.join())
  }
  for (const { came } of channels) for (const [n, value] of came.entries()) expect((value as { n: number }).n).toBe(n)
}

const close = (sides: Side[]) => {
  for (const { links, port } of sides) {
    links.close()
    port.close()
  }
}

describe('slots over TCP', () => {
  it('exchange records in all directions, three slots with each other', async () => {
    const sides = await Promise.all([0, 1, 2].map((index) => side(index)))
    begin(sides)
    const channels = sides.flatMap((from) =>
      sides.filter((to) => to !== from).map((to) => new TestChannel(from, to, 4)),
    )
    await Promise.all(sides.map(({ links }) => links.open()))
    await exchange(sides, channels, 4000)
    close(sides)
  })

  it('hold what the socket does not take, and are told when it has', async () => {
    for (const tls of [undefined, ours]) {
      const got: number[] = []
      const listening = await listenSockets(tls)({ host: '127.0.0.1', port: 0 }, (socket) => {
        socket.start({
          open() {},
          received: (bytes, length) => {
            for (let at = 0; at < length; at += 1) if (bytes[at] !== 0) got.push(bytes[at]!)
          },
          closed() {},
        })
      })
      const socket = connectSockets(tls)({ host: '127.0.0.1', port: listening.port })
      await new Promise<void>((resolve) => socket.start({ open: resolve, received() {}, closed() {} }))
      let late = 0
      for (let mark = 1; mark <= 40; mark++) {
        // A megabyte in three parts; nobody reads until this gives way.
        const chunks = [1, 700_000, 300_000].map((length) => Buffer.alloc(length))
        chunks[0]![0] = mark
        await new Promise<void>((resolve) => {
          if (socket.write(chunks, resolve)) resolve()
          else late++
        })
        // It has them all: they may be changed.
        for (const chunk of chunks) chunk.fill(255)
      }
      while (got.length < 40) await turn()
      expect(got).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
      expect(late).toBeGreaterThan(0)
      socket.end()
      listening.close()
    }
  })

  it('notice that the other process is gone', async () => {
    const sides = await Promise.all([0, 1].map((index) => side(index)))
    const [a, b] = sides as [Side, Side]
    begin(sides)
    new TestChannel(a, b, 0)
    await Promise.all([a.links.open(), b.links.open()])
    b.port.close()
    while (a.lost.length === 0) await turn()
    expect(a.lost[0]).toMatch(new RegExp(`^1 Lost slot 1 at 127.0.0.1:${b.port.address.port}: The connection`))
    close(sides)
  })

  it('tells others another address, where something between passes connections on', async () => {
    const port = await DataPort.listen({
      ...{ host: '127.0.0.1', advertised: 'gateway', port: [0], advertisedPort: [7130] },
    })
    expect(port.address).toEqual({ host: 'gateway', port: 7130 })
    port.close()
  })

  it('take the first port that is free, and say so when none is', async () => {
    const first = await DataPort.listen({ host: '127.0.0.1', port: 0 })
    const { port } = first.address
    const second = await DataPort.listen({
      host: '127.0.0.1',
      advertised: 'node-7',
      port: Array.from({ length: 50 }, (_, i) => port + i),
    })
    expect(second.address.host).toBe('node-7')
    expect(second.address.port).toBeGreaterThan(port)
    await expect(DataPort.listen({ host: '127.0.0.1', port })).rejects.toThrow(
      `Cannot listen for data on 127.0.0.1:${port}: EADDRINUSE`,
    )
    first.close()
    second.close()
  })
})

describe('slots over TLS', () => {
  it('exchange records when they trust each other', async () => {
    const sides = await Promise.all([0, 1].map((index) => side(index, ours)))
    const [a, b] = sides as [Side, Side]
    begin(sides)
    const channels = [new TestChannel(a, b, 0), new TestChannel(b, a, 1)]
    await Promise.all([a.links.open(), b.links.open()])
    await exchange(sides, channels, 5000)
    close(sides)
  })

  it('refuse a certificate of someone else, and no certificate', async () => {
    const server = await side(1, ours)
    for (const tls of [strangers, undefined]) {
      const client = await side(0, tls)
      const sides = [client, server]
      begin(sides)
      client.links.output(1, channelKey(0, 0, 1))
      server.links.input(0, channelKey(0, 0, 1))
      void server.links.open().catch(() => {})
      const error = (await client.links.open().catch((caught: unknown) => caught)) as TailraceError
      expect(error.code).toBe('TR-EXCHANGE-002')
      expect(error.message).toContain(`slot 1 at 127.0.0.1:${server.port.address.port}`)
      close([client])
    }
    close([server])
  })
})
