/**
 * What the configuration says about artifacts: Flink's `user.artifacts.*` where the notion is Flink's, ours under `tailrace.artifacts.*`.
 */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { workingDirectory } from '../config/directories.ts'
import { ConfigValues } from '../config/option.ts'
import { JOB_MANAGER } from '../config/options/processes.ts'
import { ARTIFACTS } from '../config/options/security.ts'
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
  /** `tailrace.artifacts.fetch-timeout`: for one artifact, redirects and all. */
  timeoutMs: number
  /** `tailrace.artifacts.idle-timeout`: longest silence of a server. */
  idleTimeoutMs: number
}

/** Redirects that are followed, each checked as the first address was. */
export const REDIRECTS_MAX = 5

/**
 * Throws TR-ARTIFACT-001 for a value that cannot be used.
 *
 * @param own says where the process works
 *
 * @example
 * artifactSettings({ 'tailrace.artifacts.allowed-hosts': 'builds.corp;10.1.0.0/16' }).timeoutMs // 300000
 */
export function artifactSettings(
  configuration: Readonly<Record<string, string>>,
  own = JOB_MANAGER.workingDirectory,
): ArtifactSettings {
  const read = new ConfigValues(configuration, 'TR-ARTIFACT-001')
  return {
    dir: read.get(ARTIFACTS.directory) ?? defaultDirectory(workingDirectory(read, own)),
    allowHttp: read.get(ARTIFACTS.plainHttp),
    headers: read.get(ARTIFACTS.headers) ?? {},
    allowed: allowedHosts(read),
    sizeMax: read.get(ARTIFACTS.size),
    unpackedMax: read.get(ARTIFACTS.unpackedSize),
    filesMax: read.get(ARTIFACTS.files),
    cacheMax: read.get(ARTIFACTS.cacheSize),
    timeoutMs: read.get(ARTIFACTS.fetchTimeout),
    idleTimeoutMs: read.get(ARTIFACTS.idleTimeout),
  }
}

/** Of this user, as what lies there is run. */
function defaultDirectory(parent = tmpdir()): string {
  return join(parent, `tailrace-artifacts-${process.getuid?.() ?? 'user'}`)
}

function allowedHosts(read: ConfigValues): AllowedHosts {
  try {
    // Flink's lists have semicolons; commas are what most write, and no host has one.
    return new AllowedHosts(
      (read.get(ARTIFACTS.privateHosts) ?? []).flatMap((one) => one.split(/[,\s]+/).filter(Boolean)),
    )
  } catch (error) {
    const found = read.find(ARTIFACTS.privateHosts)!
    throw read.refusal(found, `${(error as Error).message}; a list of names, addresses and ranges`, error)
  }
}
