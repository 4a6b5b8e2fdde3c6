import { describe, expect, it } from 'vitest'
import { kindOf, parseArtifactUri } from './artifact-uri.ts'

const hash = 'ab'.repeat(32)

describe('parseArtifactUri()', () => {
  it.each([
    ['local:///opt/jobs/job.mjs', 'local', '/opt/jobs/job.mjs', 'job.mjs'],
    ['local:/opt/jobs/job.mjs', 'local', '/opt/jobs/job.mjs', 'job.mjs'],
    ['file:///opt/a%20b/job.tgz', 'file', '/opt/a b/job.tgz', 'job.tgz'],
    ['/opt/job.ts', 'file', '/opt/job.ts', 'job.ts'],
    ['https://Builds.example/a/job.mjs?x=1', 'https', 'https://builds.example/a/job.mjs?x=1', 'job.mjs'],
    ['http://builds.example/a%20b.mjs', 'http', 'http://builds.example/a%20b.mjs', 'a b.mjs'],
    ['s3://bucket/a/job.mjs', 's3', 's3://bucket/a/job.mjs', 'job.mjs'],
    ['s3a://bucket/job.tgz', 's3', 's3a://bucket/job.tgz', 'job.tgz'],
  ])('reads %s', (text, scheme, location, name) => {
    expect(parseArtifactUri(text)).toMatchObject({ scheme, location, name, sha256: undefined })
    expect(parseArtifactUri(`${text}#sha256=${hash.toUpperCase()}`)).toMatchObject({ location, sha256: hash })
  })

  it('shows no query, which may be a signature', () => {
    expect(parseArtifactUri('https://builds.example/job.mjs?X-Amz-Signature=abc').shown).toBe(
      'https://builds.example/job.mjs',
    )
  })

  it.each([
    ['job.mjs', /relative path/],
    ['ftp://host/job.mjs', /"ftp:" is not supported/],
    ['file:job.mjs', /does not begin with a slash/],
    ['https://ann:secret@builds.example/job.mjs', /user name or password/],
    ['https://', /no URL/],
    ['s3://bucket', /bucket and an object/],
    ['s3://bucket/jobs/', /bucket and an object/],
    ['/opt/job.mjs#sha256=12', /"12" is none/],
    ['/opt/job.mjs#md5=12', /no hash/],
  ])('refuses %s', (text, message) => {
    expect(() => parseArtifactUri(text)).toThrow(expect.objectContaining({ code: 'TR-ARTIFACT-001' }))
    expect(() => parseArtifactUri(text)).toThrow(message)
  })

  it('does not repeat a password that it refuses', () => {
    expect(() => parseArtifactUri('https://ann:hunter2@builds.example/job.mjs')).not.toThrow(/hunter2/)
  })
})

describe('kindOf()', () => {
  it.each([
    ['job.mjs', 'module'],
    ['job.js', 'module'],
    ['job.ts', 'typescript'],
    ['job.tgz', 'package'],
    ['job-1.2.tar.gz', 'package'],
  ])('%s is a %s', (name, kind) => expect(kindOf(name)).toBe(kind))

  it.each([
    ['job.sql', 'TR-ARTIFACT-011', /come later/],
    ['job.jar', 'TR-ARTIFACT-001', /Java archive/],
    ['job', 'TR-ARTIFACT-001', /ends in \.mjs/],
  ])('refuses %s', (name, code, message) => {
    expect(() => kindOf(name)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }))
  })
})
