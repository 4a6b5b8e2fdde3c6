/** Where the REST of a running cluster is, as the command line says it. */
import { ConfigValues } from '../config/option.ts'
import { REST } from '../config/options/rest.ts'
import { TailraceError } from '../core/errors.ts'

export interface AddressFlags {
  /** `host:port`, `host`, `:port` or a URL. */
  address?: string
  config: Readonly<Record<string, string>>
}

/**
 * A URL without a slash at its end. `--address` wins over `rest.address` and `rest.port`; of a range of ports it is the first one.
 *
 * @example
 * clusterUrl({ address: 'jobs.example:8081', config: {} }) // 'http://jobs.example:8081'
 */
export function clusterUrl({ address, config }: AddressFlags): string {
  const read = new ConfigValues(config, 'TR-CONFIG-001')
  const port = /^\s*(\d+)/.exec(read.get(REST.port))![1]!
  const given = address?.trim() ?? read.get(REST.address)
  const text = given.startsWith(':') ? `localhost${given}` : given === '' ? 'localhost' : given
  const isUrl = /^https?:\/\//i.test(text)
  const url = URL.parse(isUrl ? text : `http://${text}`)
  if (url === null || url.hostname === '' || (!isUrl && url.pathname !== '/'))
    throw new TailraceError(
      'TR-CLI-001',
      `Cannot use "${given}" as the address of a cluster: wanted host:port, such as localhost:8081, or a URL`,
    )
  // Without a port a URL means its scheme's, and a host the cluster's.
  if (url.port === '' && !isUrl && !/:80$/.test(text)) url.port = port
  return url.href.replace(/\/+$/, '')
}

/** How long one waits there for a JobManager that leads. */
export function awaitLeaderMs(config: Readonly<Record<string, string>>): number {
  return new ConfigValues(config, 'TR-CONFIG-001').get(REST.awaitLeader)
}
