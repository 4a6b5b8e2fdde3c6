/**
 * The store on S3 over a real server (scripts/lab/s3.ts): what s3-store.test.ts runs over a toy one. Where there is none it is skipped, with a line that says how to get it; with
 * TAILRACE_REQUIRE_ALL=1 it is built, and the tests fail when that is not possible.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installS3, missingS3, type S3Lab, startS3 } from '../../scripts/lab/s3.ts'
import { openOn, s3Cases } from './s3-cases.suite.ts'

const BUILD_MS = 10 * 60_000
const requireAll = process.env.TAILRACE_REQUIRE_ALL === '1'
const missing = missingS3()
if (missing !== undefined && !requireAll) console.log(`${missing} (skipped)`)

describe.skipIf(missing !== undefined && !requireAll)('a real server', () => {
  let lab: S3Lab
  beforeAll(async () => {
    if (missing !== undefined) installS3()
    lab = await startS3()
  }, BUILD_MS)
  afterAll(() => lab?.stop())

  s3Cases('openS3Store() on a real server', () => lab)

  it('refuses a wrong secret key, by the signature', async () => {
    const store = await openOn(lab, 'job', { 's3.secret-key': 'wrong' })
    await expect(store.put('k', Uint8Array.of(1))).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-005',
      message: expect.stringMatching(/SignatureDoesNotMatch.*wanted: the secret key of this access key/),
    })
    await store.close()
  })

  it('gives one of twenty what all want to create', async () => {
    const store = await openOn(lab, 'race')
    const won = await Promise.all(Array.from({ length: 20 }, (_, i) => store.putIfAbsent('one', Uint8Array.of(i))))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(await store.get('one')).toEqual(Uint8Array.of(won.indexOf(true)))
    await store.close()
  })
})
