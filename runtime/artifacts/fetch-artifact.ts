/**
 * From an address to a module that can be imported: fetched, held in the cache by its content's hash, unpacked, and fit for this version.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { TailraceError } from '../core/errors.ts'
import { version as runningVersion } from '../program/running-copy.ts'
import { type ArtifactKind, type ArtifactUri, checkSha256, kindOf, parseArtifactUri } from './artifact-uri.ts'
import { checkBuiltFor, recordOf } from './built-for.ts'
import { type ArtifactCache, type Cached, type Extension, hashFile } from './cache.ts'
import { fetchHttp, type HttpOptions, tooLarge } from './http.ts'
import { packageEntry } from './package-entry.ts'
import { type OpenStore, readS3 } from './read-s3.ts'
import type { ArtifactSettings } from './settings.ts'

export interface Artifact {
  /** As it goes into messages and logs. */
  readonly shown: string
  /** The file's name where it came from. */
  readonly name: string
  readonly kind: ArtifactKind
  readonly sha256: string
  readonly size: number
  /** The file on this machine. */
  readonly path: string
  /** `file:` URL of the module to import. */
  readonly moduleUrl: string
  /** For the log. */
  readonly warnings: readonly string[]
  /** Nobody imports it any more: it may be removed from the cache. */
  release(): Promise<void>
}

export interface OpenOptions {
  settings: ArtifactSettings
  cache: ArtifactCache
  /** Of a package: the module to run, as a path in it. */
  entry?: string | undefined
  /** Of the library that will run it. */
  version?: string
}

export interface FetchOptions extends OpenOptions, HttpOptions {
  /** Opens `s3:` places; absent: they are refused. */
  openStore?: OpenStore
  /** What the content must have; the address may say it as well. */
  sha256?: string | undefined
}

/**
 * Fetches an artifact and makes it ready to be imported. One with a known hash that is in the cache is not fetched again. `local:` modules stay where they
 * are, beside the files that they import; everything else is copied.
 *
 * Throws TR-ARTIFACT-001 … 012.
 *
 * @example
 * const artifact = await fetchArtifact('https://builds.example.com/job.mjs#sha256=2c26…', { settings, cache })
 * await cluster.run({ url: artifact.moduleUrl, args: [], parameters: {}, options: {} })
 * await artifact.release()
 */
export async function fetchArtifact(text: string, options: FetchOptions): Promise<Artifact> {
  const { sha256: given } = options
  const uri = parseArtifactUri(text)
  const wanted = given === undefined ? uri.sha256 : checkSha256(given, uri.shown)
  if (wanted !== undefined && uri.sha256 !== undefined && wanted !== uri.sha256)
    throw new TailraceError(
      'TR-ARTIFACT-001',
      `Cannot use the artifact "${uri.shown}": its address says sha256 ${uri.sha256}, wanted by the request: ${wanted}`,
    )
  const kind = kindOf(uri.name)
  if (uri.scheme === 'local' && kind !== 'package') return inPlace(uri, kind, wanted, options)
  if (wanted !== undefined) {
    const cached = await cachedArtifact(wanted, uri.name, options, uri.shown)
    if (cached !== undefined) return cached
  }
  return addArtifact(bytesOf(uri, options), uri.name, { ...options, sha256: wanted }, uri.shown)
}

/** An artifact that is in the cache; undefined: it is not. */
export async function cachedArtifact(
  sha256: string,
  name: string,
  options: OpenOptions,
  shown = name,
): Promise<Artifact | undefined> {
  const kind = kindOf(name)
  const { cache } = options
  await cache.hold(sha256)
  try {
    const cached = await cache.take(sha256, extensionOf(kind, name))
    if (cached !== undefined) return await ready(cached, { name, kind, shown }, options)
  } catch (error) {
    await cache.release(sha256)
    throw error
  }
  await cache.release(sha256)
  return undefined
}

/** Takes in bytes that somebody sends, such as an upload. They must be bounded. */
export async function addArtifact(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  options: OpenOptions & { sha256?: string | undefined },
  shown = name,
): Promise<Artifact> {
  const kind = kindOf(name)
  const { cache, sha256 } = options
  const cached = await cache.add(bytes, extensionOf(kind, name), { what: shown, sha256 })
  try {
    return await ready(cached, { name, kind, shown }, options)
  } catch (error) {
    await cache.release(cached.sha256)
    throw error
  }
}

interface Named {
  name: string
  kind: ArtifactKind
  shown: string
}

async function ready(cached: Cached, { name, kind, shown }: Named, options: OpenOptions): Promise<Artifact> {
  const { cache, settings, entry, version = runningVersion } = options
  let module = cached.path
  let builtFor: string | undefined
  if (kind === 'package') {
    // Most processes unpack nothing.
    const { unpacked } = await import('./unpacked.ts')
    const found = await packageEntry(await unpacked(cache, cached, shown, settings), shown, entry)
    module = found.path
    // A package that nobody built may still have one for its entry.
    builtFor = found.builtFor ?? (await recordOf(module))?.builtFor
  } else {
    noEntry(shown, entry)
    builtFor = (await recordOf(module))?.builtFor
  }
  const warning = builtFor === undefined ? undefined : checkBuiltFor(shown, builtFor, version)
  return {
    shown,
    name,
    kind,
    ...cached,
    moduleUrl: pathToFileURL(module).href,
    warnings: warning === undefined ? [] : [warning],
    release: () => cache.release(cached.sha256),
  }
}

async function inPlace(
  { location, shown, name }: ArtifactUri,
  kind: ArtifactKind,
  wanted: string | undefined,
  { entry, version = runningVersion }: OpenOptions,
): Promise<Artifact> {
  noEntry(shown, entry)
  const { sha256, size } = await hashFile(location).catch((error) => {
    throw missing(shown, error)
  })
  if (wanted !== undefined && wanted !== sha256)
    throw new TailraceError(
      'TR-ARTIFACT-005',
      `Cannot take the artifact ${shown}: its sha256 is ${sha256}, wanted: ${wanted}`,
    )
  const builtFor = (await recordOf(location))?.builtFor
  const warning = builtFor === undefined ? undefined : checkBuiltFor(shown, builtFor, version)
  return {
    shown,
    name,
    kind,
    sha256,
    size,
    path: location,
    moduleUrl: pathToFileURL(location).href,
    warnings: warning === undefined ? [] : [warning],
    release: async () => {},
  }
}

function bytesOf({ scheme, location, shown }: ArtifactUri, options: FetchOptions): AsyncIterable<Uint8Array> {
  const { settings, openStore } = options
  if (scheme === 'http' || scheme === 'https') return fetchHttp(location, settings, options)
  if (scheme !== 's3') return readFile(location, shown, settings.sizeMax)
  if (openStore === undefined)
    throw new TailraceError('TR-ARTIFACT-001', `Cannot fetch ${shown}: "s3:" is not supported here`)
  return readS3(location, openStore, settings.sizeMax)
}

async function* readFile(path: string, shown: string, sizeMax: number): AsyncGenerator<Uint8Array> {
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new Error('it is no file')
    if (found.size > sizeMax) throw tooLarge(shown, `${found.size} bytes`, sizeMax)
    let size = 0
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > sizeMax) throw tooLarge(shown, `more than ${sizeMax} bytes`, sizeMax)
      yield chunk
    }
  } catch (error) {
    throw missing(shown, error)
  }
}

function missing(shown: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code?.startsWith('TR-') === true) return error
  const found = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message
  return new TailraceError('TR-ARTIFACT-004', `Cannot read the artifact ${shown}: ${found}`, { cause: error })
}

function noEntry(shown: string, entry: string | undefined): void {
  if (entry === undefined || entry === '') return
  throw new TailraceError(
    'TR-ARTIFACT-008',
    `Cannot run "${entry}" of ${shown}: it is one module, wanted: no entry, the name of a function that it exports, or a .tgz with that module in it`,
  )
}

/** What Node tells modules apart by. A `.js` beside no package.json is an ES module all the same. */
function extensionOf(kind: ArtifactKind, name: string): Extension {
  if (kind === 'package') return '.tgz'
  if (kind === 'module') return '.mjs'
  return /x$/i.test(name) ? '.tsx' : '.ts'
}
