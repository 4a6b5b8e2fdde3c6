import { describe, expect, it } from 'vitest'
import { judgeS3, s3Error } from './s3-errors.ts'

const http = (status: number, name = 'UnknownError', message = '') => ({
  name,
  message,
  $metadata: { httpStatusCode: status },
})

describe('judgeS3()', () => {
  it.each([
    [http(412, 'PreconditionFailed'), 'exists'],
    [http(412), 'exists'],
    [http(404, 'NoSuchKey'), 'missing'],
    [http(404), 'refused'],
    [http(404, 'XAdminUserNotFound'), 'refused'],
    [http(404, 'NoSuchBucket'), 'refused'],
    [http(416, 'InvalidRange'), 'range'],
    [http(409, 'ConditionalRequestConflict'), 'passes'],
    [http(409), 'passes'],
    [http(503, 'SlowDown'), 'passes'],
    [http(500, 'InternalError'), 'passes'],
    [http(502), 'passes'],
    [http(429), 'passes'],
    [http(400, 'RequestTimeout'), 'passes'],
    [http(501, 'NotImplemented'), 'refused'],
    [http(403, 'AccessDenied'), 'refused'],
    [http(301, 'PermanentRedirect'), 'refused'],
    [http(400, 'AuthorizationHeaderMalformed'), 'refused'],
    [http(200, 'SyntaxError', 'Unexpected end'), 'passes'],
    [{ name: 'Error', code: 'ECONNRESET', message: 'socket hang up' }, 'passes'],
    [{ name: 'Error', code: 'ENOTFOUND', message: 'getaddrinfo' }, 'passes'],
    [{ name: 'Error', message: 'aborted' }, 'passes'],
    [{ name: 'TimeoutError', message: 'no answer' }, 'passes'],
    [{ name: 'CredentialsProviderError', message: 'Could not load credentials' }, 'refused'],
    [new TypeError('x is not a function'), 'refused'],
  ] as const)('of %j is %s', (error, verdict) => {
    expect(judgeS3(error)).toBe(verdict)
  })
})

describe('s3Error()', () => {
  it('says what to do where somebody has to', () => {
    const error = s3Error('put', 's3://b/k', http(403, 'AccessDenied', 'Access Denied'))
    expect(error.code).toBe('TR-CHECKPOINT-005')
    expect(error.message).toBe(
      'Cannot put "s3://b/k": the server refuses (AccessDenied, HTTP 403: Access Denied), wanted: permission to get, put, delete and list objects',
    )
    expect(s3Error('put', 's3://b/k', new Error('Region is missing')).message).toMatch(
      /wanted: the region of the bucket/,
    )
  })

  it('says what was met where it may pass', () => {
    const error = s3Error('get', 's3://b/k', http(503, 'SlowDown', 'Reduce your rate'))
    expect(error.code).toBe('TR-CHECKPOINT-007')
    expect(error.message).toBe(
      'Cannot get "s3://b/k": the last answer was SlowDown, HTTP 503: Reduce your rate; wanted: an answer in time',
    )
  })
})
