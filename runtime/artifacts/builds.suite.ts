/**
 * A server of artifacts for tests, with TLS, and names that lead where a test says.
 */
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Resolve } from './hosts.ts'

export interface Builds {
  port: number
  close(): Promise<void>
}

export async function serveBuilds(
  secure: boolean,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Builds> {
  const server = secure ? createHttps({ key, cert: ca }, answer) : createHttp(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Names and their addresses; each answer may be another. */
export function resolver(names: Record<string, string | (() => string[])>): Resolve & { asked: string[] } {
  const asked: string[] = []
  const resolve: Resolve = (host, done) => {
    asked.push(host)
    const found = names[host]
    const addresses = typeof found === 'function' ? found() : found === undefined ? [] : [found]
    if (addresses.length === 0) done(new Error(`getaddrinfo ENOTFOUND ${host}`), [])
    else
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  }
  return Object.assign(resolve, { asked })
}

// Made for these tests alone, for builds.example and mirror.example; good for a hundred years.
export const ca = `-----BEGIN CERTIFICATE-----
MIIBszCCAVqgAwIBAgIUD/RE6mxcxdxMdONBvLcHcX+Fc6QwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOYnVpbGRzLmV4YW1wbGUwIBcNMjYxMTIxMTgwMzIyWhgPMjEy
NjEwMjgxODAzMjJaMBkxFzAVBgNVBAMMDmJ1aWxkcy5leGFtcGxlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEqrVqnG3Rnh2SV4CspZzQ2NBJ71jCAHg162CDH1rv
l2Bu38P6g4//WzmVUJIV6KmXoLeLvSHcWhC9f1PcNTN7zaN+MHwwHQYDVR0OBBYE
FBWqwWUNBvbd66IW8b5MvDX4aMCZMB8GA1UdIwQYMBaAFBWqwWUNBvbd66IW8b5M
vDX4aMCZMA8GA1UdEwEB/wQFMAMBAf8wKQYDVR0RBCIwIIIOYnVpbGRzLmV4YW1w
bGWCDm1pcnJvci5leGFtcGxlMAoGCCqGSM49BAMCA0cAMEQCICSZ+U2UyN1PDsTR
61Vedb27wHCUhExje7EvPEeExyijAiAMES6VYGydaZVoLehhsaawaj+fvwT29rN9
DPp2uhJvyA==
-----END CERTIFICATE-----`
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBl57DJ/1u5gxlpbW
79OMF8GqRXVHK7iAjFKQ+rusAy2hRANCAASqtWqcbdGeHZJXgKylnNDY0EnvWMIA
eDXrYIMfWu+XYG7fw/qDj/9bOZVQkhXoqZegt4u9IdxaEL1/U9w1M3vN
-----END PRIVATE KEY-----`
