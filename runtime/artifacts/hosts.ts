/**
 * Which hosts artifacts may come from: public ones, and those of other ranges that the configuration allows.
 *
 * What must hold: the addresses that are judged are the ones that are connected to. A name is resolved once, by `lookupFor`, which the
 * socket uses itself: a server of names that answers differently the next time (rebinding) is not asked again. A name with one
 * address in a reserved range is refused as a whole.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'
import { TailraceError } from '../core/errors.ts'

/** IANA's special-purpose registries, in words of a message. */
const RESERVED: readonly [what: string, ranges: readonly string[]][] = [
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['link-local or metadata', ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254/128', '100.100.100.200/32']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10']],
  ['shared by a carrier', ['100.64.0.0/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  // Addresses of version 4 in those of version 6 that a router may unpack.
  ['translated', ['64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/32']],
  [
    'reserved',
    [
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      '::/128',
      '100::/64',
      '2001:db8::/32',
    ],
  ],
]

const BLOCKS = RESERVED.map(([what, ranges]) => {
  const list = new BlockList()
  for (const range of ranges) addRange(list, range)
  return { what, list }
})

/** In words, the special range of an address; undefined for public ones. */
export function reservedRange(address: string): string | undefined {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  return BLOCKS.find(({ list }) => list.check(address, family))?.what
}

/** Hosts of reserved ranges that are allowed all the same. */
export class AllowedHosts {
  readonly #names: string[] = []
  readonly #ranges = new BlockList()

  /**
   * @param list names (`builds.corp`, `*.corp` for all below it), addresses and ranges (`10.1.0.0/16`), `*` for everything
   *
   * Throws RangeError for what is none of these.
   */
  constructor(list: readonly string[] = []) {
    for (const one of list) {
      const [address, bits] = one.split('/')
      if (isIP(address!) !== 0) addRange(this.#ranges, bits === undefined ? one : `${address}/${bits}`)
      else if (/^(\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)$/i.test(one)) this.#names.push(one.toLowerCase())
      else throw new RangeError(`"${one}" is neither a host name nor an address nor a range such as 10.1.0.0/16`)
    }
  }

  allows(host: string, address: string): boolean {
    const name = host.toLowerCase()
    return (
      this.#ranges.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') ||
      this.#names.some((one) => one === '*' || one === name || (one.startsWith('*.') && name.endsWith(one.slice(1))))
    )
  }
}

/** Throws TR-ARTIFACT-002 for an address that must not be connected to. */
export function checkAddress(host: string, address: string, allowed: AllowedHosts): void {
  const range = reservedRange(address)
  if (range === undefined || allowed.allows(host, address)) return
  const where = host === address ? 'it is an address' : `it resolves to ${address},`
  throw new TailraceError(
    'TR-ARTIFACT-002',
    `Cannot fetch from the host "${host}": ${where} of the ${range} range, wanted: a public host, or its name or range in "tailrace.artifacts.allowed-hosts"`,
  )
}

/** Resolves a name to all of its addresses; `dns.lookup` with `all`. */
export type Resolve = (host: string, done: (error: Error | null, addresses: LookupAddress[]) => void) => void

export const systemResolve: Resolve = (host, done) => systemLookup(host, { all: true }, done)

/** What a socket resolves names with: as `resolve` does, and refused as a whole when one address must not be connected to. */
export function lookupFor(allowed: AllowedHosts, resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, (error, addresses) => {
      if (error !== null) return done(error, [])
      try {
        for (const { address } of addresses) checkAddress(host, address, allowed)
      } catch (refusal) {
        return done(refusal as Error, [])
      }
      if (options.all === true) return done(null, addresses)
      const first = addresses[0]
      if (first === undefined) return done(new Error(`"${host}" has no address`), [])
      done(null, first.address, first.family)
    })
  }
}

function addRange(list: BlockList, range: string): void {
  const [address, bits] = range.split('/')
  const family = isIPv6(address!) ? 'ipv6' : 'ipv4'
  const width = bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits)
  if (!Number.isInteger(width) || width < 0 || width > (family === 'ipv6' ? 128 : 32))
    throw new RangeError(`"${range}" is no range, wanted: one such as 10.1.0.0/16`)
  list.addSubnet(address!, width, family)
}
