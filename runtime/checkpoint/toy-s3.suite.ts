/**
 * A server that speaks as much of S3 as s3-store.ts uses, in memory: for tests on machines without a real one (s3-real.test.ts has that). It looks at the access key of a
 * request and not at its signature.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const PAGE = 500

export interface ToyS3 {
  endpoint: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  /** By key. */
  objects: Map<string, Uint8Array>
  /** `PUT key`, in order. */
  requests: string[]
  /** What it cannot do: answers 501 to deleting many, or ignores conditions, or copies nothing and says nothing. */
  lacks: Set<'deleteMany' | 'conditions' | 'copy'>
  /** Asked for each `PUT key`: before it has taken effect, and before it is answered. What it gives is waited for. */
  hold: (request: string, when: 'before' | 'after') => Promise<void> | undefined
  close(): Promise<void>
}

interface Answer {
  status: number
  body?: Uint8Array | string
  headers?: Record<string, string>
}

const refusal = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} it is</Message></Error>`,
})
const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

export async function startToyS3(): Promise<ToyS3> {
  const objects = new Map<string, Uint8Array>()
  const requests: string[] = []
  const lacks: ToyS3['lacks'] = new Set()
  const bucket = 'toy'

  const list = (query: URLSearchParams): Answer => {
    const prefix = query.get('prefix') ?? ''
    const after = query.get('continuation-token') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, PAGE)
    const more = keys.length > PAGE
    const contents = page.map(
      (key) =>
        `<Contents><Key>${escapeXml(key)}</Key><Size>${objects.get(key)!.length}</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>`,
    )
    return {
      status: 200,
      body: `<?xml version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${escapeXml(page.at(-1)!)}</NextContinuationToken>` : ''}${contents.join('')}</ListBucketResult>`,
    }
  }

  const get = (key: string, range: string | undefined): Answer => {
    const bytes = objects.get(key)
    if (bytes === undefined) return refusal(404, 'NoSuchKey')
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
    if (from === undefined) return { status: 200, body: bytes }
    if (Number(from) >= bytes.length) return refusal(416, 'InvalidRange')
    return { status: 206, body: bytes.subarray(Number(from), Number(to) + 1) }
  }

  const deleteMany = (body: string): Answer => {
    if (lacks.has('deleteMany')) return refusal(501, 'NotImplemented')
    for (const [, key] of body.matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(key!.replaceAll('&amp;', '&'))
    return { status: 200, body: '<?xml version="1.0"?><DeleteResult></DeleteResult>' }
  }

  const copy = (key: string, source: string): Answer => {
    const bytes = source.startsWith(`${bucket}/`) ? objects.get(source.slice(bucket.length + 1)) : undefined
    if (bytes === undefined) return refusal(404, 'NoSuchKey')
    objects.set(key, bytes)
    return { status: 200, body: '<CopyObjectResult><ETag>"toy"</ETag></CopyObjectResult>' }
  }

  const answer = (request: IncomingMessage, body: Uint8Array): Answer => {
    const { pathname, searchParams } = new URL(request.url!, 'http://toy')
    const [, name, ...rest] = decodeURIComponent(pathname).split('/')
    const key = rest.join('/')
    requests.push(`${request.method} ${key}`)
    if (!request.headers.authorization?.includes('Credential=toykey/')) return refusal(403, 'InvalidAccessKeyId')
    if (name !== bucket) return refusal(404, 'NoSuchBucket')
    if (request.method === 'GET' && key === '') return list(searchParams)
    if (request.method === 'GET') return get(key, request.headers.range)
    if (request.method === 'POST') return deleteMany(new TextDecoder().decode(body))
    if (request.method === 'DELETE') {
      objects.delete(key)
      return { status: 204 }
    }
    const source = request.headers['x-amz-copy-source']
    if (typeof source === 'string' && !lacks.has('copy')) return copy(key, decodeURIComponent(source))
    const conditional = request.headers['if-none-match'] === '*' && !lacks.has('conditions')
    if (conditional && objects.has(key)) return refusal(412, 'PreconditionFailed')
    objects.set(key, body)
    return { status: 200, headers: { ETag: '"toy"' } }
  }

  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', async () => {
      const [, ...path] = decodeURIComponent(new URL(request.url!, 'http://toy').pathname).slice(1).split('/')
      const what = `${request.method} ${path.join('/')}`
      await toy.hold(what, 'before')
      const { status, body = '', headers = {} } = answer(request, Buffer.concat(chunks))
      await toy.hold(what, 'after')
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
      response.end(body)
    })
  })
  const toy: ToyS3 = {
    endpoint: await listen(server),
    bucket,
    accessKeyId: 'toykey',
    secretAccessKey: 'toysecret',
    objects,
    requests,
    lacks,
    hold: () => undefined,
    close: () => closeServer(server),
  }
  return toy
}

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
