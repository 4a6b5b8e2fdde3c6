/**
 * Refuses requests that a page of another site has sent, before their bodies are read: for paths that take code.
 *
 * A browser sends forms anywhere without asking, so a page that a developer happens to visit could upload to their cluster. It says where such a request comes
 * from (`origin`, `sec-fetch-site`); other clients say nothing. While only this machine can reach the server, the host must be an address or `localhost`, or a
 * name that leads here today (DNS rebinding) would pass for this site.
 */
import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { RestError } from './common.ts'

/** Throws 403. */
export async function sameSiteOnly({ headers, socket }: FastifyRequest): Promise<void> {
  const { origin, host = '' } = headers
  const site = headers['sec-fetch-site']
  const refuse = (from: string) => {
    throw new RestError(403, `Cannot take a request ${from}: it may come of the page of another site`)
  }
  if (site === 'cross-site' || site === 'same-site') refuse(`with sec-fetch-site "${site}"`)
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) refuse(`from "${origin}"`)
  const loopback = /^(::1$|::ffff:127\.|127\.)/.test(socket.remoteAddress ?? '')
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  const local = isIP(name) !== 0 || /^(.*\.)?localhost$/i.test(name)
  if (loopback && !local && origin !== undefined) refuse(`for the host "${host}"`)
}
