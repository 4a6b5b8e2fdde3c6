/**
 * A schema registry in this process: subjects, versions, ids and references as Confluent's has them, and faults on demand. Two schemas of a
 * subject are compatible when none takes away a field.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Stored {
  subject: string
  version: number
  id: number
  schema: string
  references: { name: string; subject: string; version: number }[]
  schemaType: string
}

/** What the next requests get instead of an answer: `cut` closes the connection. */
export type Fault = 'cut' | 'hang' | 'nonsense' | number

export interface TestRegistry {
  url: string
  /** Of requests so far: `GET /schemas/ids/1`. */
  requests: string[]
  /** Headers of the last request. */
  headers: IncomingMessage['headers']
  /** One for each of the next requests. */
  faults: Fault[]
  /** When set, what requests must have in `authorization`. */
  authorization: string | undefined
  /** Adds a schema as a producer would; gives its id. */
  add(subject: string, schema: object | string, more?: Partial<Stored>): number
  close(): Promise<void>
}

export async function startTestRegistry(): Promise<TestRegistry> {
  const stored: Stored[] = []
  const ids = new Map<string, number>()

  const add = (subject: string, given: object | string, more: Partial<Stored> = {}): number => {
    const schema = typeof given === 'string' ? given : JSON.stringify(given)
    const known = find(subject, schema)
    if (known !== undefined) return known.id
    const key = JSON.stringify([schema, more.references])
    const id = ids.get(key) ?? ids.size + 1
    ids.set(key, id)
    const version = versions(subject).length + 1
    stored.push({ subject, version, id, schema, references: [], schemaType: 'AVRO', ...more })
    return id
  }
  const versions = (subject: string) => stored.filter((one) => one.subject === subject)
  const find = (subject: string, schema: string) =>
    versions(subject).find((one) => JSON.stringify(JSON.parse(one.schema)) === JSON.stringify(JSON.parse(schema)))

  const server = createServer(async (request, response) => {
    const { method, url = '/' } = request
    registry.requests.push(`${method} ${url}`)
    registry.headers = request.headers
    let text = ''
    for await (const part of request) text += part
    const fault = registry.faults.shift()
    if (fault === 'cut') return request.socket.destroy()
    if (fault === 'hang') return
    if (fault === 'nonsense') return response.end('<html>')
    if (fault !== undefined) return refuse(response, fault, fault * 100 + 1, 'as the test wants it')
    if (registry.authorization !== undefined && request.headers.authorization !== registry.authorization)
      return refuse(response, 401, 40101, 'Unauthorized')
    const path = url.split('/').slice(1).map(decodeURIComponent)
    answer(method === 'POST' ? JSON.parse(text).schema : undefined, path, response)
  })

  const answer = (schema: string | undefined, path: string[], response: ServerResponse): ServerResponse => {
    if (path[0] === 'schemas') {
      const found = stored.find((one) => one.id === Number(path[2]))
      if (found === undefined) return refuse(response, 404, 40403, `Schema ${path[2]} not found`)
      const { schema, references, schemaType } = found
      return send(response, {
        schema,
        ...(references.length > 0 && { references }),
        ...(schemaType !== 'AVRO' && { schemaType }),
      })
    }
    const subject = path[1]!
    if (schema === undefined) {
      const found = versions(subject).at(path[3] === 'latest' ? -1 : Number(path[3]) - 1)
      return found === undefined
        ? refuse(response, 404, 40401, `Subject '${subject}' not found.`)
        : send(response, found)
    }
    if (path.length === 2) {
      const found = find(subject, schema)
      if (found !== undefined) return send(response, found)
      return versions(subject).length === 0
        ? refuse(response, 404, 40401, `Subject '${subject}' not found.`)
        : refuse(response, 404, 40403, 'Schema not found')
    }
    const last = versions(subject).at(-1)
    if (last !== undefined && !compatible(last.schema, schema))
      return refuse(
        response,
        409,
        409,
        `Schema being registered is incompatible with an earlier schema for subject "${subject}"`,
      )
    return send(response, { id: add(subject, schema) })
  }

  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const registry: TestRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    headers: {},
    faults: [],
    authorization: undefined,
    add,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return registry
}

function compatible(before: string, after: string): boolean {
  const names = (schema: string): string[] =>
    JSON.parse(schema).fields?.map((field: { name: string }) => field.name) ?? []
  const now = names(after)
  return names(before).every((name) => now.includes(name))
}

function send(response: ServerResponse, value: object, status = 200): ServerResponse {
  response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
  return response.end(JSON.stringify(value))
}

function refuse(response: ServerResponse, status: number, code: number, message: string): ServerResponse {
  return send(response, { error_code: code, message }, status)
}
