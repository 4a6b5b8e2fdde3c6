import { expect, test } from 'vitest'
import { savepointDirectory, savepointPath } from './savepoint-path.ts'

test.each([
  ['/data/sp-1', '/data/sp-1', '/data', 'sp-1/'],
  ['/data/sp-1/', '/data/sp-1', '/data', 'sp-1/'],
  ['/data/sp-1/_metadata', '/data/sp-1', '/data', 'sp-1/'],
  ['sp-1', '/home/me/sp-1', '/home/me', 'sp-1/'],
  ['../sp-1/_metadata', '/home/sp-1', '/home', 'sp-1/'],
  ['_metadata', '/home/me', '/home', 'me/'],
  ['file:///data/my%20jobs/sp-1', '/data/my jobs/sp-1', '/data/my jobs', 'sp-1/'],
  ['file:/data/sp-1/_metadata', '/data/sp-1', '/data', 'sp-1/'],
  ['/sp-1', '/sp-1', '/', 'sp-1/'],
  ['/', '/', '/', ''],
  ['s3://bucket/a/sp-1', 's3://bucket/a/sp-1', 's3://bucket/a', 'sp-1/'],
  ['s3://bucket/a/sp-1/_metadata', 's3://bucket/a/sp-1', 's3://bucket/a', 'sp-1/'],
  ['s3a://bucket/sp-1/', 's3://bucket/sp-1', 's3://bucket', 'sp-1/'],
  ['s3n://bucket/sp-1', 's3://bucket/sp-1', 's3://bucket', 'sp-1/'],
  ['S3P://bucket/_metadata', 's3://bucket', 's3://bucket', ''],
  [' /data/sp-1 ', '/data/sp-1', '/data', 'sp-1/'],
])('%s is the folder %s', (path, folder, parent, prefix) => {
  expect(savepointPath(path, '/home/me')).toEqual({ folder, parent, prefix })
})

test.each([
  ['', 'it is empty'],
  ['hdfs://nn/sp-1', 'its scheme is "hdfs:"'],
  ['s3:///sp-1', 'it names no bucket'],
  ['s3:bucket/sp-1', 'it names no bucket'],
  ['file://host/sp-1', 'File URL host'],
])('%j is no path of a savepoint', (path, found) => {
  expect(() => savepointPath(path, '/')).toThrow(
    expect.objectContaining({ code: 'TR-CHECKPOINT-003', message: expect.stringContaining(`"${path}": ${found}`) }),
  )
})

test('a directory for savepoints is a folder, whatever its name', () => {
  expect(savepointDirectory('savepoints/', '/home/me')).toBe('/home/me/savepoints')
  expect(savepointDirectory('/data/_metadata', '/')).toBe('/data/_metadata')
  expect(savepointDirectory('s3a://bucket', '/')).toBe('s3://bucket')
  expect(() => savepointDirectory('ftp://nowhere', '/')).toThrow(
    expect.objectContaining({
      code: 'TR-CHECKPOINT-006',
      message:
        'Cannot write a savepoint into "ftp://nowhere": its scheme is "ftp:", wanted: a path, file:///… or s3://bucket/…, of a directory',
    }),
  )
})
