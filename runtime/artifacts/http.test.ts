import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { type Builds, ca, resolver, serveBuilds } from './builds.suite.ts'
import { AllowedHosts, reservedRange } from './hosts.ts'
import { fetchHttp, type HttpOptions } from './http.ts'
import { artifactSettings } from './settings.ts'

const open: Builds[] = []
afterEach(async () => {
  for (const builds of open.splice(0)) await builds.close()
})

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void, secure = true) {
  const builds = await serveBuilds(secure, answer)
  open.push(builds)
  return builds.port
}

const HERE = { 'tailrace.artifacts.allowed-hosts': '*.example' }
const names = { 'builds.example': '127.0.0.1', 'mirror.example': '127.0.0.1' }

async function read(url: string, configuration: Record<string, string> = {}, options: HttpOptions = {}) {
  const chunks: Uint8Array[] = []
  for await (const chunk of fetchHttp(url, artifactSettings(configuration), {
    ca,
    resolve: resolver(names),
    ...options,
  }))
    chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('reservedRange()', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:10.0.0.1', 'private'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['fd12::1', 'private'],
    ['169.254.169.254', 'link-local or metadata'],
    ['fe80::1', 'link-local or metadata'],
    ['100.100.100.200', 'link-local or metadata'],
    ['100.64.0.1', 'shared by a carrier'],
    ['0.0.0.0', 'reserved'],
    ['::', 'reserved'],
    ['64:ff9b::a00:1', 'translated'],
    ['2002:7f00:1::', 'translated'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', 'reserved'],
  ])('%s is %s', (address, range) => expect(reservedRange(address)).toBe(range))

  it.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is public', (address) => {
    expect(reservedRange(address)).toBeUndefined()
  })
})

describe('AllowedHosts', () => {
  it('knows names, those below a name, addresses and ranges', () => {
    const allowed = new AllowedHosts(['builds.corp', '*.dev.corp', '10.1.0.0/16', 'fd00::/8', '192.168.0.7'])
    const allows = (host: string, address: string) => allowed.allows(host, address)
    expect(allows('Builds.corp', '10.9.0.1')).toBe(true)
    expect(allows('other.builds.corp', '10.9.0.1')).toBe(false)
    expect(allows('a.dev.corp', '10.9.0.1')).toBe(true)
    expect(allows('dev.corp', '10.9.0.1')).toBe(false)
    expect(allows('x', '10.1.255.1')).toBe(true)
    expect(allows('x', '::ffff:10.1.255.1')).toBe(true)
    expect(allows('x', 'fd12::1')).toBe(true)
    expect(allows('x', '192.168.0.7')).toBe(true)
    expect(allows('x', '192.168.0.8')).toBe(false)
  })

  it('refuses what is none', () => {
    for (const one of ['10.0.0.0/33', 'a b', '10.0.0.0/x', '-a'])
      expect(() => new AllowedHosts([one]), one).toThrow(RangeError)
  })
})

describe('fetchHttp()', () => {
  it('reads what is there, of a host that is allowed', async () => {
    const port = await serve((_, response) => response.end('export default 1'))
    expect(await read(`https://builds.example:${port}/job.mjs`, HERE)).toBe('export default 1')
  })

  it.each(['127.0.0.1', '[::1]', '0x7f.1', '2130706433', '169.254.169.254', '[::ffff:10.0.0.1]'])(
    'refuses the address %s before it is asked',
    async (host) => {
      await expect(read(`https://${host}:1/job.mjs`)).rejects.toMatchObject({
        code: 'TR-ARTIFACT-002',
        message: expect.stringMatching(/it is an address of the .* range/),
      })
    },
  )

  it('refuses a name that leads to a private address, and names both', async () => {
    let asked = 0
    const port = await serve((_, response) => {
      asked++
      response.end()
    })
    await expect(read(`https://builds.example:${port}/job.mjs`)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-002',
      message: expect.stringContaining('"builds.example": it resolves to 127.0.0.1, of the loopback range'),
    })
    const both = resolver({ 'builds.example': () => ['8.8.8.8', '127.0.0.1'] })
    await expect(read(`https://builds.example:${port}/job.mjs`, {}, { resolve: both })).rejects.toMatchObject({
      code: 'TR-ARTIFACT-002',
    })
    expect(asked).toBe(0)
  })

  it('connects to the address that was judged: another answer of the same name is judged anew', async () => {
    const port = await serve((_, response) => response.end('inside'))
    let times = 0
    const rebinding = resolver({ 'builds.example': () => [times++ === 0 ? '127.0.0.2' : '127.0.0.1'] })
    // The first answer is allowed, and nobody listens there; a second look would have found the server.
    await expect(
      read(
        `https://builds.example:${port}/job.mjs`,
        { 'tailrace.artifacts.allowed-hosts': '127.0.0.2' },
        {
          resolve: rebinding,
        },
      ),
    ).rejects.toMatchObject({ code: 'TR-ARTIFACT-003' })
    expect(rebinding.asked).toEqual(['builds.example'])
  })

  it('wants TLS unless told otherwise, also behind a redirect', async () => {
    const plain = await serve((_, response) => response.end('plain'), false)
    const port = await serve((_, response) =>
      response.writeHead(302, { location: `http://builds.example:${plain}/job.mjs` }).end(),
    )
    const refusal = { code: 'TR-ARTIFACT-002', message: expect.stringContaining('not encrypted') }
    await expect(read(`http://builds.example:${plain}/job.mjs`, HERE)).rejects.toMatchObject(refusal)
    await expect(read(`https://builds.example:${port}/job.mjs`, HERE)).rejects.toMatchObject(refusal)
    const allowed = { ...HERE, 'user.artifacts.raw-http-enabled': 'true' }
    expect(await read(`https://builds.example:${port}/job.mjs`, allowed)).toBe('plain')
  })

  it('judges where a redirect leads, and keeps headers for the host that was named', async () => {
    const seen: (string | undefined)[] = []
    const port = await serve((request, response) => {
      seen.push(`${request.headers.host} ${request.headers.authorization}`)
      if (request.url === '/here') response.writeHead(307, { location: '/there' }).end()
      else if (request.url === '/there')
        response.writeHead(302, { location: `https://mirror.example:${port}/job.mjs` }).end()
      else response.end('job')
    })
    const headers = { 'user.artifacts.http-headers': `'authorization:Bearer a,b', x-b : 2` }
    expect(await read(`https://builds.example:${port}/here`, { ...HERE, ...headers })).toBe('job')
    expect(seen).toEqual([
      `builds.example:${port} Bearer a,b`,
      `builds.example:${port} Bearer a,b`,
      `mirror.example:${port} undefined`,
    ])
    const some = { 'tailrace.artifacts.allowed-hosts': 'builds.example' }
    await expect(read(`https://builds.example:${port}/there`, some)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-002',
      message: expect.stringContaining('mirror.example'),
    })
  })

  it('follows so many redirects', async () => {
    const port = await serve(({ url }, response) => {
      const left = Number(url!.slice(1))
      if (left === 0) response.end('found')
      else response.writeHead(302, { location: `/${left - 1}` }).end()
    })
    expect(await read(`https://builds.example:${port}/5`, HERE)).toBe('found')
    await expect(read(`https://builds.example:${port}/6`, HERE)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-003',
      message: expect.stringContaining('more than 5 times'),
    })
  })

  it.each([
    [404, 'TR-ARTIFACT-004'],
    [403, 'TR-ARTIFACT-004'],
    [204, 'TR-ARTIFACT-004'],
    [500, 'TR-ARTIFACT-003'],
    [429, 'TR-ARTIFACT-003'],
  ])('says that the host answers %d', async (status, code) => {
    const port = await serve((_, response) => response.writeHead(status).end())
    await expect(read(`https://builds.example:${port}/job.mjs?token=hunter2`, HERE)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(
        new RegExp(`^Cannot fetch https://builds.example:${port}/job.mjs: the host "builds.example" answers ${status}`),
      ),
    })
  })

  it('refuses what is too large, by what is said and by what comes', async () => {
    const port = await serve(({ url }, response) => {
      if (url === '/said') response.setHeader('content-length', 2000)
      response.write('x'.repeat(1500))
      if (url !== '/said') response.end('x'.repeat(500))
    })
    const small = { ...HERE, 'tailrace.artifacts.max-size': '1kb' }
    for (const path of ['said', 'sent'])
      await expect(read(`https://builds.example:${port}/${path}`, small)).rejects.toMatchObject({
        code: 'TR-ARTIFACT-006',
      })
  })

  it('notices an answer that is cut off', async () => {
    const port = await serve((_, response) => {
      response.setHeader('content-length', 100)
      response.write('x'.repeat(50), () => response.destroy())
    })
    await expect(read(`https://builds.example:${port}/job.mjs`, HERE)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-003',
    })
  })

  it('gives a silent server up, and a slow one', async () => {
    const port = await serve(({ url }, response) => {
      if (url === '/slow') response.write('x')
    })
    const timers: { ms: number; callback: () => void }[] = []
    const schedule = (ms: number, callback: () => void) => {
      const timer = { ms, callback }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    }
    for (const [path, ms] of [
      ['silent', 30_000],
      ['slow', 300_000],
    ] as const) {
      const reading = read(`https://builds.example:${port}/${path}`, HERE, { schedule })
      while (timers.length < 2) await new Promise(setImmediate)
      timers.find((timer) => timer.ms === ms)!.callback()
      await expect(reading).rejects.toMatchObject({
        code: 'TR-ARTIFACT-003',
        message: expect.stringContaining(`${ms} ms`),
      })
      expect(timers).toEqual([])
    }
  })

  it('does not trust a certificate of nobody', async () => {
    const port = await serve((_, response) => response.end())
    const { ca: _, ...rest } = { ca, resolve: resolver(names) }
    await expect(
      (async () => {
        for await (const __ of fetchHttp(`https://builds.example:${port}/job.mjs`, artifactSettings(HERE), rest));
      })(),
    ).rejects.toMatchObject({ code: 'TR-ARTIFACT-003', message: expect.stringContaining('self-signed') })
  })
})

describe('artifactSettings()', () => {
  it('names the key of a value that cannot be used, and repeats no header', () => {
    const refused = (key: string, value: string) => {
      try {
        artifactSettings({ [key]: value })
      } catch (error) {
        return (error as Error).message
      }
      return undefined
    }
    expect(refused('tailrace.artifacts.fetch-timeout', 'soon')).toContain('"soon" for tailrace.artifacts.fetch-timeout')
    expect(refused('tailrace.artifacts.max-files', '-1')).toContain('1 or more')
    expect(refused('tailrace.artifacts.allowed-hosts', '10.0.0.0/99')).toContain('10.0.0.0/99')
    expect(refused('user.artifacts.http-headers', 'hunter2')).toMatch(/^(?!.*hunter2).*http-headers/)
  })
})
