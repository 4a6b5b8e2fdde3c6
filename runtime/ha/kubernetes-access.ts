/**
 * Where the API server is, and who asks: the service account of a pod, or a kubeconfig.
 *
 * In a pod nothing of @kubernetes/client-node is loaded: a token and a certificate are read from files, and again when they may have been rotated. A kubeconfig goes through that
 * package, which knows certificates, tokens, OIDC and credential plugins (exec); it costs 70 MB more.
 */
import { readFile } from 'node:fs/promises'
import type { Agent } from 'node:http'
import { delimiter, join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'

export type TlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>

export interface Credentials {
  headers: Record<string, string>
  tls: TlsOptions
  /** Through a proxy. */
  agent?: Agent
}

export interface KubeAccess {
  /** URL without a slash at its end. */
  readonly server: string
  /** Of the pod, or of the kubeconfig's context. */
  readonly namespace: string
  /** Asked before each request; cheap when nothing has changed. */
  credentials(): Promise<Credentials>
}

export interface AccessOptions {
  environment: Readonly<Record<string, string | undefined>>
  clock: Clock
  /** Where the service account is mounted. */
  accountDirectory?: string
}

const ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'
/** The kubelet renews tokens long before they end. */
const REREAD_MS = 30_000

/**
 * `KUBECONFIG` wins over the pod's service account, and that over `~/.kube/config`. Throws TR-KUBE-008.
 *
 * @example
 * const access = await openAccess({ environment: process.env, clock: systemClock })
 */
export async function openAccess(options: AccessOptions): Promise<KubeAccess> {
  const { environment } = options
  if (!environment.KUBECONFIG && environment.KUBERNETES_SERVICE_HOST) return await podAccess(options)
  return await kubeconfigAccess(environment)
}

async function podAccess({
  environment,
  clock,
  accountDirectory = ACCOUNT_DIRECTORY,
}: AccessOptions): Promise<KubeAccess> {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = environment
  const read = async (name: string) => {
    try {
      return (await readFile(join(accountDirectory, name), 'utf8')).trim()
    } catch (error) {
      throw new TailraceError(
        'TR-KUBE-008',
        `Cannot read the service account's "${join(accountDirectory, name)}": ${(error as Error).message}, wanted it mounted (automountServiceAccountToken)`,
        { cause: error },
      )
    }
  }
  const readAll = async (): Promise<Credentials> => {
    const [token, ca] = await Promise.all([read('token'), read('ca.crt')])
    return { headers: { authorization: `Bearer ${token}` }, tls: { ca } }
  }
  let known = await readAll()
  let readMs = clock.monotonic()
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: await read('namespace'),
    credentials: async () => {
      if (clock.monotonic() - readMs >= REREAD_MS) {
        known = await readAll()
        readMs = clock.monotonic()
      }
      return known
    },
  }
}

async function kubeconfigAccess(environment: AccessOptions['environment']): Promise<KubeAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  const from = environment.KUBECONFIG ? `"${environment.KUBECONFIG}"` : '"~/.kube/config"'
  const refusal = (found: string, cause?: unknown) =>
    new TailraceError(
      'TR-KUBE-008',
      `Cannot connect by the kubeconfig ${from}: ${found}, wanted one whose current context names a cluster`,
      { cause },
    )
  const file = environment.KUBECONFIG
  try {
    if (file && !file.includes(delimiter)) config.loadFromFile(file)
    else config.loadFromDefault()
  } catch (error) {
    throw refusal((error as Error).message, error)
  }
  const cluster = config.getCurrentCluster()
  // Without any file it makes one up.
  if (cluster === null || (!file && cluster.server === 'http://localhost:8080')) throw refusal('it names no cluster')
  const context = config.getContextObject(config.getCurrentContext())
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: context?.namespace ?? 'default',
    credentials: async () => {
      const options: Record<string, any> = {}
      try {
        await config.applyToHTTPSOptions(options)
      } catch (error) {
        throw refusal((error as Error).message, error)
      }
      const { auth, agent, ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = options
      const basic: Record<string, string> =
        auth === undefined ? {} : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }
      return {
        headers: { ...basic, ...lowerCased(options.headers) },
        tls: { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized },
        ...(cluster.proxyUrl && { agent }),
      }
    },
  }
}

function lowerCased(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
