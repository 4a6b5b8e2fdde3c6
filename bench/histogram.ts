/**
 * Counts of latencies in buckets that grow with the value: 1 microsecond wide below 64, then 32 to each doubling (3 %). Adding allocates
 * nothing. A histogram travels as accumulators of the job, one per bucket, which are summed over the subtasks.
 */
const LINEAR = 64
const PER_DOUBLING_BITS = 5
const BUCKETS = 1024

const PREFIX = 'latencyUs.'

export class Histogram {
  readonly counts = new Float64Array(BUCKETS)

  add(us: number): void {
    this.counts[bucketOf(us < 0 ? 0 : us | 0)]!++
  }

  /** Gives every count to `into(name, count)`. */
  report(into: (name: string, count: number) => void): void {
    this.counts.forEach((count, bucket) => {
      if (count > 0) into(PREFIX + bucket, count)
    })
  }

  /** The histogram that the accumulators of a job hold. */
  static from(accumulators: Record<string, number>): Histogram {
    const histogram = new Histogram()
    for (const [name, count] of Object.entries(accumulators)) {
      if (name.startsWith(PREFIX)) histogram.counts[Number(name.slice(PREFIX.length))] = count
    }
    return histogram
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  /** Milliseconds below which the share `q` of all latencies lies: the upper bound of its bucket. */
  quantileMs(q: number): number {
    const wanted = q * this.count
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.counts[bucket]!
      if (seen >= wanted && seen > 0) return upperUs(bucket) / 1000
    }
    return 0
  }
}

function bucketOf(us: number): number {
  if (us < LINEAR) return us
  const shift = 31 - Math.clz32(us) - PER_DOUBLING_BITS
  return (shift << PER_DOUBLING_BITS) + (us >>> shift)
}

function upperUs(bucket: number): number {
  if (bucket < LINEAR) return bucket
  const shift = (bucket >>> PER_DOUBLING_BITS) - 1
  return (((bucket & 31) + 33) << shift) - 1
}
