import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TailraceError } from '../../core/errors.ts'
import { makeCertificates } from '../../rpc/tls/certificates.suite.ts'
import { type InternalTls, internalTls } from '../../rpc/tls/internal-tls.ts'
import { BufferPool } from '../buffer-pool.ts'
import { DataPort } from './data-port.ts'
import { channelKey, SlotLinks } from './slot-links.ts'
import { connectSockets, listenSockets } from './sockets.ts'

const made = makeCertificates()
afterAll(() => made?.remove())
const certs = made!

/** Of opening channels. */
const TIMEOUT_MS = 3_000

async function slot(index: number, tls: InternalTls | undefined, log: string[]) {
  const onStranger = ({ code, message }: TailraceError) => void log.push(`${code} ${message}`)
  const port = await DataPort.listen({ host: '127.0.0.1', port: 0, listen: listenSockets(tls, onStranger) })
  const links = new SlotLinks({
    dataPort: port,
    connect: connectSockets(tls),
    wake() {},
    openTimeoutMs: TIMEOUT_MS,
  })
  return { index, port, links, pool: new BufferPool(BufferPool.allocate(8)) }
}

/** Opens a channel from one slot to another: what the one that dials says, and what the other one logs and says. */
async function meet(dials: InternalTls | undefined, listens: InternalTls | undefined) {
  const log: string[] = []
  const sides = [await slot(0, dials, []), await slot(1, listens, log)]
  const peers = Object.fromEntries(sides.map(({ port }, index) => [index, port.address]))
  for (const { index, links, pool } of sides)
    links.begin({ jobId: 'job', attempt: 0, slotIndex: index, peers, token: 'secret', pool })
  sides[0]!.links.output(1, channelKey(0, 0, 1))
  sides[1]!.links.input(0, channelKey(0, 0, 1))
  const said = ({ links }: (typeof sides)[number]) =>
    links.open().then(
      () => 'open',
      (error: TailraceError) => `${error.code} ${error.message}`,
    )
  const listening = said(sides[1]!)
  const dialling = await said(sides[0]!)
  // The attempt fails with the first of its slots.
  if (dialling !== 'open') sides[1]!.links.end()
  await listening
  for (const { links, port } of sides) {
    links.close()
    port.close()
  }
  return { dialling, log }
}

describe.skipIf(made === undefined)('a data port by TLS', () => {
  let ours: InternalTls
  let expired: InternalTls
  beforeAll(async () => {
    ours = internalTls(certs.options())!
    const validFrom = Date.parse(new X509Certificate(readFileSync(certs.path('expired.pem'))).validFrom)
    expired = internalTls(certs.options('expired.pem'), { nowMs: validFrom })!
    while (Date.now() < validFrom + 1_100) await new Promise((resolve) => setTimeout(resolve, 50))
  })
  const pinned = (name: string) => {
    const { fingerprint256 } = new X509Certificate(readFileSync(certs.path(name)))
    return internalTls(
      certs.options(undefined, undefined, { 'security.ssl.internal.cert.fingerprint': fingerprint256 }),
    )!
  }
  const withoutCertificate = () => {
    const { cert: _, key: __, ...client } = ours.client
    return { ...ours, client }
  }

  it('takes slots of the cluster, by versions and fingerprints that are wanted', async () => {
    expect(await meet(ours, internalTls(certs.options('both.pem')))).toEqual({ dialling: 'open', log: [] })
    expect(await meet(pinned('node.pem'), pinned('node.pem'))).toEqual({ dialling: 'open', log: [] })
    const newest = internalTls(certs.options(undefined, undefined, { 'security.ssl.protocol': 'TLSv1.3' }))!
    expect(newest.server.minVersion).toBe('TLSv1.3')
    expect(await meet(newest, newest)).toEqual({ dialling: 'open', log: [] })
  })

  it.each<[string, () => [InternalTls | undefined, InternalTls | undefined], RegExp, RegExp[]]>([
    [
      'another authority',
      () => [internalTls(certs.options('other.pem', 'other-ca.pem')), ours],
      /one side does not know the authority/,
      // The one that dials may have gone before.
      [],
    ],
    [
      'a certificate of another authority, from a slot that trusts ours',
      () => {
        const stranger = internalTls(certs.options('other.pem', 'other-ca.pem'))!
        return [{ ...stranger, client: { ...stranger.client, ca: ours.client.ca! } }, ours]
      },
      /one side does not know the authority/,
      [/one side does not know the authority/],
    ],
    ['an expired certificate of the one that dials', () => [expired, ours], /expired/, [/expired/]],
    ['an expired certificate of the one that listens', () => [ours, expired], /a certificate has expired/, []],
    ['no certificate', () => [withoutCertificate(), ours], /shows no certificate/, [/shows no certificate/]],
    [
      'no TLS',
      () => [undefined, ours],
      /closed by the other side before it said anything: security.ssl.internal.enabled and/,
      [/does not speak TLS/],
    ],
    ['TLS, where there is none', () => [ours, undefined], /the other side does not speak TLS/, []],
    [
      'another fingerprint than is wanted there',
      () => [internalTls(certs.options('both.pem')), pinned('node.pem')],
      /has the fingerprint .* wants another/,
      [/has the fingerprint .* wants another/],
    ],
    [
      'another fingerprint than is wanted here',
      () => [pinned('node.pem'), internalTls(certs.options('both.pem'))],
      /has the fingerprint .* wants another/,
      [],
    ],
  ])('refuses %s, with the reason on both sides and before its time is out', async (_, sides, dials, listens) => {
    const { dialling, log } = await meet(...sides())
    // It has not waited for the end of its time.
    expect(dialling).not.toContain(`${TIMEOUT_MS} ms`)
    expect(dialling).toMatch(/^TR-EXCHANGE-002 Cannot open the channels of slot 0: Lost slot 1 at 127/)
    expect(dialling).toMatch(dials)
    for (const wanted of listens) expect(log).toEqual([expect.stringMatching(wanted)])
    for (const line of log) expect(line).toMatch(/^TR-TLS-002 /)
  })

  it('is given up when the other side says nothing', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const one = await slot(0, ours, [])
    const peers = { 1: { host: '127.0.0.1', port } }
    one.links.begin({ jobId: 'job', attempt: 0, slotIndex: 0, peers, token: 'secret', pool: one.pool })
    one.links.output(1, 'x')
    await expect(one.links.open()).rejects.toThrow(`slot 1 at 127.0.0.1:${port} did not begin attempt 0 within 3000 ms`)
    one.links.close()
    one.port.close()
    silent.close()
  })

  it('asks a busy slot by a connection that its machine takes, though nobody shakes hands', async () => {
    const silent = createServer({ pauseOnConnect: true }, () => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const reached = Promise.withResolvers<void>()
    const socket = connectSockets(ours)({ host: '127.0.0.1', port })
    socket.start({
      reached: reached.resolve,
      open: () => reached.reject(new Error('open')),
      received() {},
      closed() {},
    })
    await reached.promise
    socket.end()
    silent.close()
  })
})
