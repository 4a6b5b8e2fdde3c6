/**
 * What the configuration says about artifacts: Flink's `user.artifacts.*` where the notion is Flink's, ours under `tailrace.artifacts.*`.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { durationMs } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import { memoryBytes } from '../core/memory-size.ts'
import { AllowedHosts } from './hosts.ts'

export interface ArtifactSettings {
  /** `user.artifacts.base-dir`: where fetched artifacts are kept. */
  dir: string
  /** `user.artifacts.raw-http-enabled`: whether `http:` may be fetched, which anybody on the way can change. */
  allowHttp: boolean
  /** `user.artifacts.http-headers`: sent to the host of the address, not to where it redirects. */
  headers: Readonly<Record<string, string>>
  /** `tailrace.artifacts.allowed-hosts`: hosts and ranges that are not public. */
  allowed: AllowedHosts
  /** `tailrace.artifacts.max-size`: of one file, bytes. */
  sizeMax: number
  /** `tailrace.artifacts.max-unpacked-size`: of an archive's content, bytes, with the headers of its files. */
  unpackedMax: number
  /** `tailrace.artifacts.max-files`: in an archive. */
  filesMax: number
  /** `tailrace.artifacts.cache-size`: what is kept of artifacts that no job uses, bytes. */
  cacheMax: number
  /** `tailrace.artifacts.timeout`: for one artifact, redirects and all. */
  timeoutMs: number
  /** `tailrace.artifacts.idle-timeout`: longest silence of a server. */
  idleTimeoutMs: number
}

/** Redirects that are followed, each checked as the first address was. */
export const REDIRECTS_MAX = 5

/**
 * Throws TR-ARTIFACT-001 for a value that cannot be used.
 *
 * @example
 * artifactSettings({ 'tailrace.artifacts.allowed-hosts': 'builds.corp; 10.1.0.0/16' }).timeoutMs // 300000
 */
export function artifactSettings(configuration: Readonly<Record<string, string>>): ArtifactSettings {
  const read = <T>(key: string, otherwise: string, parse: (text: string) => T): T => {
    const text = configuration[key]?.trim() || otherwise
    try {
      return parse(text)
    } catch (cause) {
      // Headers are secrets.
      const shown = key.endsWith('headers') ? 'the value' : `"${text}"`
      throw new TailraceError('TR-ARTIFACT-001', `Cannot use ${shown} for "${key}": ${(cause as Error).message}`, {
        cause,
      })
    }
  }
  return {
    dir: read('user.artifacts.base-dir', defaultDirectory(), String),
    allowHttp: read('user.artifacts.raw-http-enabled', 'false', flag),
    headers: read('user.artifacts.http-headers', '', headersOf),
    allowed: read('tailrace.artifacts.allowed-hosts', '', (text) => new AllowedHosts(listOf(text))),
    sizeMax: read('tailrace.artifacts.max-size', '256 mb', positive(memoryBytes)),
    unpackedMax: read('tailrace.artifacts.max-unpacked-size', '1 gb', positive(memoryBytes)),
    filesMax: read('tailrace.artifacts.max-files', '50000', positive(Number)),
    cacheMax: read('tailrace.artifacts.cache-size', '2 gb', positive(memoryBytes)),
    timeoutMs: read('tailrace.artifacts.timeout', '5 min', positive(durationMs)),
    idleTimeoutMs: read('tailrace.artifacts.idle-timeout', '30 s', positive(durationMs)),
  }
}

/** Of this user, as what lies there is run. */
function defaultDirectory(): string {
  return join(tmpdir(), `tailrace-artifacts-${process.getuid?.() ?? 'user'}`)
}

/** Flink's lists have semicolons; commas are what most write. */
const listOf = (text: string) =>
  text
    .split(/[;,\s]+/)
    .map((one) => one.trim())
    .filter(Boolean)

function flag(text: string): boolean {
  if (/^(true|false)$/i.test(text)) return /^true$/i.test(text)
  throw new RangeError('wanted true or false')
}

const positive = (parse: (text: string) => number) => (text: string) => {
  const value = parse(text)
  if (!(value > 0)) throw new RangeError('wanted more than 0')
  return value
}

/** Flink's maps: `name:value,name:value`, where a value in quotes may have commas. */
function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const part of text.match(/(?:"[^"]*"|'[^']*'|[^,])+/g) ?? []) {
    const [, name, value] = /^\s*([\w-]+)\s*:\s*(.*?)\s*$/s.exec(part) ?? []
    if (name === undefined) throw new RangeError('a part of it is not of the form name:value')
    headers[name.toLowerCase()] = value!.replace(/^(["'])(.*)\1$/s, '$2')
  }
  return headers
}
