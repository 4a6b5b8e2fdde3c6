import { describe, expect, it } from 'vitest'
import { s3Settings } from './s3-settings.ts'

const settings = (url: string, configuration = {}, environment = {}) => {
  const warnings: string[] = []
  return { ...s3Settings(url, configuration, environment, (text) => warnings.push(text)), warnings }
}

describe('s3Settings()', () => {
  it('reads bucket and path, whatever the spelling of the scheme', () => {
    for (const scheme of ['s3', 's3a', 's3n', 's3p', 'S3'])
      expect(settings(`${scheme}://bucket/a//b/`)).toEqual({
        url: 's3://bucket/a/b',
        bucket: 'bucket',
        prefix: 'a/b/',
        endpoint: undefined,
        region: undefined,
        pathStyle: false,
        credentials: undefined,
        warnings: [],
      })
    expect(settings('s3://bucket')).toMatchObject({ url: 's3://bucket', prefix: '' })
  })

  it('reads Flink’s keys', () => {
    const configuration = {
      's3.endpoint': 'http://minio:9000/',
      's3.path.style.access': 'TRUE',
      's3.access-key': 'key',
      's3.secret-key': 'secret',
      's3.region': 'eu-central-1',
    }
    expect(settings('s3://b', configuration)).toMatchObject({
      endpoint: 'http://minio:9000',
      pathStyle: true,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    })
    expect(settings('s3://b', { 's3.path-style-access': 'true' }).pathStyle).toBe(true)
    expect(settings('s3://b', { 'fs.s3a.endpoint': 'minio:9000' }).endpoint).toBe('https://minio:9000')
  })

  it('takes path style and a region for granted with an endpoint, unless told', () => {
    const endpoint = { 's3.endpoint': 'http://minio:9000' }
    expect(settings('s3://b', endpoint)).toMatchObject({ pathStyle: true, region: 'us-east-1' })
    expect(settings('s3://b', { ...endpoint, 's3.path.style.access': 'false' }).pathStyle).toBe(false)
  })

  it('reads the environment where the configuration says nothing', () => {
    const environment = { AWS_REGION: 'eu-west-1', AWS_ENDPOINT_URL: 'http://local:1' }
    expect(settings('s3://b', {}, environment)).toMatchObject({ region: 'eu-west-1', endpoint: 'http://local:1' })
    expect(settings('s3://b', { 's3.region': 'x', 's3.endpoint': 'http://y' }, environment)).toMatchObject({
      region: 'x',
      endpoint: 'http://y',
    })
  })

  it('leaves the entropy key out of the path, with a warning', () => {
    const found = settings('s3://b/_entropy_/jobs', { 's3.entropy.key': '_entropy_', 's3.entropy.length': '4' })
    expect(found).toMatchObject({ url: 's3://b/jobs', prefix: 'jobs/' })
    expect(found.warnings).toEqual([expect.stringContaining('"s3.entropy.key" is accepted and has no effect')])
  })

  it.each([
    ['s3:///path', {}, /^Cannot use the place "s3:\/\/\/path": it names no bucket/],
    ['s3://b', { 's3.endpoint': 'http://' }, /^Cannot use "http:\/\/" for "s3.endpoint"/],
    ['s3://b', { 's3.path.style.access': 'yes' }, /^Cannot use "yes" for "s3.path.style.access"/],
    ['s3://b', { 's3.access-key': 'k' }, /^Cannot use "s3.access-key": "s3.secret-key" is not set/],
    ['s3://b', { 's3.secret-key': 'k' }, /^Cannot use "s3.secret-key": "s3.access-key" is not set/],
  ])('refuses %s with %j', (url, configuration, text) => {
    expect(() => settings(url, configuration)).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006', message: expect.stringMatching(text) }),
    )
  })
})
