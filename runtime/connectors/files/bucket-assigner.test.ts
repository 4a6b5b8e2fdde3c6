import { describe, expect, it, test } from 'vitest'
import { BasePathBucketAssigner, type BucketContext, checkBucket, DateTimeBucketAssigner } from './bucket-assigner.ts'

const at = (iso: string): BucketContext => ({
  timestamp: () => null,
  currentProcessingTime: () => Date.parse(iso),
  currentWatermark: () => Number.NEGATIVE_INFINITY,
})

test('BasePathBucketAssigner has one folder', () => {
  expect(new BasePathBucketAssigner().getBucketId()).toBe('')
})

describe('DateTimeBucketAssigner', () => {
  const formats: [pattern: string | undefined, zone: string, iso: string, bucket: string][] = [
    [undefined, 'UTC', '2024-05-31T23:59:59.999Z', '2024-05-31--23'],
    [undefined, 'Europe/Oslo', '2024-05-31T23:00:00Z', '2024-06-01--01'],
    [undefined, 'Europe/Oslo', '2024-01-31T23:00:00Z', '2024-02-01--00'],
    [undefined, 'Asia/Kolkata', '2024-05-31T18:29:59Z', '2024-05-31--23'],
    [undefined, 'Asia/Kolkata', '2024-05-31T18:30:00Z', '2024-06-01--00'],
    ["'day='yyyy-MM-dd", 'UTC', '0987-01-02T00:00:00Z', 'day=0987-01-02'],
    ["yyyy/MM/dd/HH/mm/'at 's", 'UTC', '2024-12-01T07:08:09Z', '2024/12/01/07/08/at 9'],
    ["yy.M.d 'o''clock' H''m", 'UTC', '2007-03-04T05:06:00Z', "07.3.4 o'clock 5'6"],
  ]
  it.each(formats)('%s in %s', (pattern, zone, iso, bucket) => {
    expect(new DateTimeBucketAssigner(pattern, zone).getBucketId(undefined, at(iso))).toBe(bucket)
  })

  it('follows the clock, also back', () => {
    const minutes = new DateTimeBucketAssigner('mm', 'UTC')
    const seconds = new DateTimeBucketAssigner('ss', 'UTC')
    const buckets = ['00:59.999', '01:00', '00:30', '59:59'].map((time) => {
      const context = at(`2024-05-31T07:${time}Z`)
      return [minutes.getBucketId(undefined, context), seconds.getBucketId(undefined, context)]
    })
    expect(buckets).toEqual([
      ['00', '59'],
      ['01', '00'],
      ['00', '30'],
      ['59', '59'],
    ])
  })

  it('has the zone of the system when none is given', () => {
    const now = new Date('2024-05-31T12:34:56Z')
    const hour = String(now.getHours()).padStart(2, '0')
    expect(new DateTimeBucketAssigner('HH').getBucketId(undefined, at(now.toISOString()))).toBe(hour)
  })

  it.each(['yyyy-MM-ddTHH', 'MMM', 'EEE', 'yyyyy', "it's"])('refuses %s', (pattern) => {
    expect(() => new DateTimeBucketAssigner(pattern)).toThrow(/Cannot name buckets by .* put text in single quotes/)
  })
  it('refuses a zone that is none', () => {
    expect(() => new DateTimeBucketAssigner(undefined, 'Middle/Earth')).toThrow(RangeError)
  })
})

test.each(['', 'a', 'a/b', 'page=/x'.slice(0, 5), '2024-05-31--23', 'with space', 'ø'])(
  'the bucket "%s" is a folder',
  (bucket) => {
    expect(() => checkBucket(bucket)).not.toThrow()
  },
)
test.each(['/', '/a', 'a/', 'a//b', '..', 'a/../b', '.hidden', '_x', 'a/_x', 'a\\b', 'a\0'])(
  'the bucket "%s" is refused',
  (bucket) => {
    expect(() => checkBucket(bucket)).toThrow(/Cannot write to the bucket/)
  },
)
