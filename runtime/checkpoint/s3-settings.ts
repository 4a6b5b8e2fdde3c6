/**
 * Where objects lie in S3 and how to get there, from a URL, Flink's configuration keys and the environment.
 */
import { namesOf, type Option } from '../config/option.ts'
import { S3 } from '../config/options/storage.ts'
import { TailraceError } from '../core/errors.ts'

export interface S3Settings {
  /** As it is shown, without a slash at its end. */
  url: string
  bucket: string
  /** Empty, or with a slash at its end. */
  prefix: string
  /** Of a server that is not AWS's, or of a special one of AWS's. */
  endpoint: string | undefined
  /** undefined: what the client finds, such as in a profile. */
  region: string | undefined
  /** `endpoint/bucket/key`, and not `bucket.endpoint/key`. */
  pathStyle: boolean
  /** undefined: what the client finds in the environment, a profile or the machine. */
  credentials: { accessKeyId: string; secretAccessKey: string } | undefined
}

/** `s3://bucket/a/b`; `s3a:`, `s3n:` and `s3p:` mean the same. */
export function isS3Url(url: string): boolean {
  return /^s3[anp]?:\/\//i.test(url)
}

/**
 * Throws TR-CHECKPOINT-006 when the URL or a setting is wrong.
 *
 * @example
 * s3Settings('s3a://bucket/checkpoints', { 's3.endpoint': 'http://minio:9000' }, process.env, console.warn)
 */
export function s3Settings(
  url: string,
  configuration: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string | undefined>>,
  warn: (text: string) => void,
): S3Settings {
  const [, bucket, path] = /^s3[anp]?:\/\/([^/]*)(.*)$/i.exec(url) ?? []
  if (!bucket) throw refused(`the place "${url}"`, 'it names no bucket', 's3://bucket/path')
  const find = (option: Option<unknown>) => {
    const key = namesOf(option).find((one) => configuration[one] !== undefined && configuration[one] !== '')
    return key === undefined ? undefined : { key, value: configuration[key]! }
  }
  const names = withoutEntropy(path!, configuration, warn).split('/').filter(Boolean)
  const endpoint = find(S3.endpoint)?.value ?? environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL
  const region = find(S3.region)?.value ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION
  return {
    url: ['s3:/', bucket, ...names].join('/'),
    bucket,
    prefix: names.map((name) => `${name}/`).join(''),
    endpoint: endpoint === undefined ? undefined : endpointUrl(endpoint),
    // Other servers take any region.
    region: region ?? (endpoint === undefined ? undefined : 'us-east-1'),
    pathStyle: booleanOf(find(S3.pathStyle)) ?? endpoint !== undefined,
    credentials: credentialsOf(find(S3.accessKey), find(S3.secretKey)),
  }
}

/** Flink puts random characters in the place of the key, so that a bucket spreads its load; S3 has done that by itself since 2018. */
function withoutEntropy(
  path: string,
  configuration: Readonly<Record<string, string>>,
  warn: (text: string) => void,
): string {
  const key = configuration[S3.entropy.key]
  if (key === undefined || key === '') return path
  warn(`"${S3.entropy.key}" is accepted and has no effect: "${key}" is left out of paths, as S3 needs no random ones`)
  return path.replaceAll(key, '')
}

function endpointUrl(endpoint: string): string {
  const url = /^https?:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`
  if (!URL.canParse(url)) throw refused(`"${endpoint}" for "s3.endpoint"`, 'it is no URL', 'http://host:port')
  return url.replace(/\/+$/, '')
}

function booleanOf(found: { key: string; value: string } | undefined): boolean | undefined {
  if (found === undefined) return undefined
  if (/^(true|false)$/i.test(found.value)) return found.value.toLowerCase() === 'true'
  throw refused(`"${found.value}" for "${found.key}"`, 'it is neither', 'true or false')
}

function credentialsOf(access: { value: string } | undefined, secret: { value: string } | undefined) {
  if (access !== undefined && secret !== undefined) return { accessKeyId: access.value, secretAccessKey: secret.value }
  if (access === undefined && secret === undefined) return undefined
  const [given, absent] = access === undefined ? ['secret', 'access'] : ['access', 'secret']
  throw refused(`"s3.${given}-key"`, `"s3.${absent}-key" is not set`, 'both or none of them')
}

function refused(what: string, found: string, wanted: string): TailraceError {
  return new TailraceError('TR-CHECKPOINT-006', `Cannot use ${what}: ${found}, wanted: ${wanted}`)
}
