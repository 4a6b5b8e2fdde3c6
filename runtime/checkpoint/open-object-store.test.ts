import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { directoryOf, openObjectStore } from './open-object-store.ts'

describe('openObjectStore()', () => {
  const settings = (configuration = {}) => ({
    configuration,
    environment: {},
    random: () => 0.5,
    schedule: () => () => {},
    warn: () => {},
  })

  it('opens a directory by its path or URL', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tailrace-open-'))
    const store = await openObjectStore(join(root, 'a'), settings())
    await store.put('k', Uint8Array.of(1))
    const same = await openObjectStore(pathToFileURL(join(root, 'a')).href, settings())
    expect(await same.get('k')).toEqual(Uint8Array.of(1))
    expect(same.url).toBe(join(root, 'a'))
    rmSync(root, { recursive: true })
  })

  it('opens S3 without asking it anything', async () => {
    const store = await openObjectStore('s3a://bucket/path', settings({ 's3.region': 'eu-west-1' }))
    expect(store.url).toBe('s3://bucket/path')
    await store.close()
  })
})

describe('directoryOf()', () => {
  it.each([
    ['file:///a/b%20c', '/a/b c'],
    ['file:/a', '/a'],
    ['/a', '/a'],
    ['a/b', 'a/b'],
  ])('of %s is %s', (place, path) => {
    expect(directoryOf(place)).toBe(path)
  })

  it.each([
    ['hdfs://namenode/a', /"hdfs:" is not supported/],
    ['gs://bucket/a', /"gs:" is not supported/],
    ['file://host/a', /host/],
    ['file:a', /does not begin with a slash/],
    ['', /it is empty/],
  ])('refuses "%s"', (place, text) => {
    expect(() => directoryOf(place)).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006', message: expect.stringMatching(text) }),
    )
  })
})
