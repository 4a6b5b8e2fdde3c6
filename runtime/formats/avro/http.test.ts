import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MessageNotReady } from '../format.ts'
import { type AvroConfluentOptions, avroConfluent } from './index.ts'

// Made for this test alone, for localhost; good for a hundred years.
const cert = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUQwiYfo76WYZUpIF5QfEjOx6S9ecwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE1MTI0MloYDzIxMjYxMDI4
MTUxMjQyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT5Xuiyz9D3qoLLawEcYikZ/fH3zKPkc9eQr7VWvhMReRTcsYAMqc4C
WdmXdUKq9o4yXJCqK1N6p7QJtLgboJs/o28wbTAdBgNVHQ4EFgQUEYaRLsCGxe6y
FnszGKZHQTBRW38wHwYDVR0jBBgwFoAUEYaRLsCGxe6yFnszGKZHQTBRW38wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgWjmXohpLZ+g8cY9AJ+t2TGKrKNf6VeveMzjWIu7gkG4CIC3g
e0qaYqY6lGZshPYMVT/NCuhD2R/9XnOR0iBCMo78
-----END CERTIFICATE-----`
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgORbht5+799uc6CP9
c+HbXu4FCXwzdd5nyzwe1vDDUOKhRANCAAT5Xuiyz9D3qoLLawEcYikZ/fH3zKPk
c9eQr7VWvhMReRTcsYAMqc4CWdmXdUKq9o4yXJCqK1N6p7QJtLgboJs/
-----END PRIVATE KEY-----`

const server = createServer(
  { key, cert, requestCert: true, ca: cert, rejectUnauthorized: false },
  (request, response) => {
    const socket = request.socket as import('node:tls').TLSSocket
    response.statusCode = request.url === '/known/schemas/ids/1' && !socket.authorized ? 403 : 200
    response.end(
      JSON.stringify(response.statusCode === 200 ? { schema: '"int"' } : { error_code: 40301, message: 'Who?' }),
    )
  },
)
let url: string
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function read(registry: Exclude<AvroConfluentOptions['registry'], string>): Promise<unknown> {
  const decoder = avroConfluent({ registry: { retriesMax: 0, ...registry } }).createMessageDecoder()
  const message = Buffer.from([0, 0, 0, 0, 1, 6])
  try {
    return decoder.decode(message, 0, 6)
  } catch (error) {
    if (!(error instanceof MessageNotReady)) throw error
    await error.ready
  }
  return decoder.decode(message, 0, 6)
}

describe('a schema registry over TLS', () => {
  it('is believed when its certificate is', async () => {
    expect(await read({ url, tls: { ca: cert } })).toBe(3)
    expect(await read({ url, tls: { rejectUnauthorized: false } })).toBe(3)
    await expect(read({ url })).rejects.toThrow(/^Cannot get the schema 1 at the schema registry https:.*certificate/)
  })

  it('is shown the certificate of the client', async () => {
    const known = `${url}/known`
    expect(await read({ url: known, tls: { ca: cert, cert, key } })).toBe(3)
    await expect(read({ url: known, tls: { ca: cert } })).rejects.toThrow('40301: Who?; check "auth"')
  })
})
