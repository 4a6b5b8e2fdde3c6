/**
 * The address of an artifact, and the kind of file that its name tells.
 *
 * What must hold: `shown` goes into messages and logs, so it has no query, which may be a signature.
 */
import { isAbsolute, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TailraceError } from '../core/errors.ts'

export type ArtifactScheme = 'local' | 'file' | 'http' | 'https' | 's3'

export interface ArtifactUri {
  scheme: ArtifactScheme
  /** Without the hash: a path (`local`, `file`), or a URL. */
  location: string
  /** For messages: without query and hash. */
  shown: string
  /** The file's name. */
  name: string
  /** What its bytes must have, in hex; undefined: any. */
  sha256: string | undefined
}

/** `module` is imported as it is, `typescript` is transformed first, `package` is unpacked. */
export type ArtifactKind = 'module' | 'typescript' | 'package'

const WANTED = 'local:///path, file:///path, https://host/path or s3://bucket/path'

/**
 * Reads `local:`, `file:`, `http(s):` and `s3:` addresses (`s3a:`, `s3n:`, `s3p:` too), and absolute paths, which mean `file:`; any may end in `#sha256=…`.
 *
 * Throws TR-ARTIFACT-001.
 *
 * @example
 * parseArtifactUri('https://builds.example.com/job.mjs#sha256=2c26…').name // 'job.mjs'
 */
export function parseArtifactUri(text: string): ArtifactUri {
  const at = text.indexOf('#')
  const location = at < 0 ? text : text.slice(0, at)
  const sha256 = at < 0 ? undefined : pinnedHash(text.slice(at + 1), text)
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(location)?.[1]?.toLowerCase()
  if (scheme === undefined) {
    if (!isAbsolute(location)) throw refused(text, 'it is a relative path', `an absolute one, ${WANTED}`)
    return { scheme: 'file', location, shown: location, name: posix.basename(location), sha256 }
  }
  switch (scheme) {
    case 'local':
    case 'file': {
      const path = pathOf(location.replace(/^local:/i, 'file:'), text)
      return { scheme, location: path, shown: `${scheme}://${path}`, name: posix.basename(path), sha256 }
    }
    case 'http':
    case 'https': {
      if (!URL.canParse(location)) throw refused(withoutQuery(text), 'it is no URL', WANTED)
      const url = new URL(location)
      if (url.username !== '' || url.password !== '')
        throw refused(
          `${url.origin}${url.pathname}`,
          'it has a user name or password, which would be seen in logs',
          'a header in "user.artifacts.http-headers"',
        )
      const shown = `${url.origin}${url.pathname}`
      return { scheme, location: url.href, shown, name: decoded(posix.basename(url.pathname)), sha256 }
    }
    case 's3':
    case 's3a':
    case 's3n':
    case 's3p': {
      const [, bucket, key] = /^\w+:\/\/([^/]+)\/(.+)$/.exec(location) ?? []
      if (bucket === undefined || key === undefined || key.endsWith('/'))
        throw refused(text, 'it does not name a bucket and an object in it', 's3://bucket/path/job.mjs')
      return { scheme: 's3', location, shown: location, name: posix.basename(key), sha256 }
    }
    default:
      throw refused(text, `"${scheme}:" is not supported`, WANTED)
  }
}

/** A hash as users write it: 64 hex digits. Throws TR-ARTIFACT-001. */
export function checkSha256(hash: string, of: string): string {
  if (!/^[0-9a-f]{64}$/i.test(hash)) throw refused(of, `the hash "${hash}" is none`, 'sha256 as 64 hexadecimal digits')
  return hash.toLowerCase()
}

/**
 * The kind of a file by its name.
 *
 * Throws TR-ARTIFACT-011 for SQL, TR-ARTIFACT-001 for what is no job.
 */
export function kindOf(name: string): ArtifactKind {
  if (/\.m?js$/i.test(name)) return 'module'
  if (/\.(m?ts|tsx)$/i.test(name)) return 'typescript'
  if (/\.(tgz|tar\.gz)$/i.test(name)) return 'package'
  if (/\.sql$/i.test(name))
    throw new TailraceError(
      'TR-ARTIFACT-011',
      `Cannot run "${name}": jobs in SQL come later, wanted: a .mjs, .js, .ts or .tgz file`,
    )
  const found = /\.jar$/i.test(name) ? 'it is a Java archive' : 'its name does not say what it is'
  throw new TailraceError(
    'TR-ARTIFACT-001',
    `Cannot run "${name}": ${found}, wanted: a name that ends in .mjs, .js, .ts or .tgz`,
  )
}

function pinnedHash(fragment: string, text: string): string {
  const [, hash] = /^sha256=(.*)$/i.exec(fragment) ?? []
  if (hash === undefined)
    throw refused(withoutQuery(text), `"#${fragment}" is no hash`, '#sha256= and 64 hexadecimal digits')
  return checkSha256(hash, withoutQuery(text))
}

function pathOf(url: string, text: string): string {
  if (!/^file:\//i.test(url)) throw refused(text, 'its path does not begin with a slash', WANTED)
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw refused(text, (cause as Error).message, WANTED, cause)
  }
}

const withoutQuery = (text: string) => text.replace(/[?#].*$/s, '')

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function refused(text: string, found: string, wanted: string, cause?: unknown): TailraceError {
  return new TailraceError('TR-ARTIFACT-001', `Cannot use the artifact "${text}": ${found}, wanted: ${wanted}`, {
    cause,
  })
}
