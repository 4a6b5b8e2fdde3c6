/**
 * The records of a scenario: a load that goes on until it is told to end, and what must come out of it, which follows from the input alone.
 *
 * Records of a key are in one partition, in order, so the job of job/totals.ts has to write for each key the lines 1, 2, 3 ... with the sums so far: every one once, whatever was killed.
 */
import type { IndependentClients } from '../../runtime/connectors/kafka/testing/independent-clients.suite.ts'

const PARTITIONS = 4
const KEYS = 40
/** Between two requests of the load. */
const STEP_MS = 50
const POLL_MS = 500
/** Where a time is measured. */
const LOOK_MS = 100

export class Stream {
  readonly in: string
  readonly out: string
  readonly #kafka: IndependentClients
  readonly #perStep: number
  readonly #expected: string[] = []
  readonly #totals = new Map<string, { n: number; sum: number }>()
  #sent = 0
  #ends = false
  #load: Promise<void> | undefined

  private constructor(kafka: IndependentClients, name: string, recordsPerSecond: number) {
    this.#kafka = kafka
    this.in = `${name}-in`
    this.out = `${name}-out`
    this.#perStep = Math.max(1, Math.round((recordsPerSecond * STEP_MS) / 1000))
  }

  /** Makes its topics, and begins to write. @param name of the scenario; topics are called by it */
  static async begin(kafka: IndependentClients, name: string, recordsPerSecond = 200): Promise<Stream> {
    const stream = new Stream(kafka, name, recordsPerSecond)
    await kafka.createTopic(stream.in, PARTITIONS)
    await kafka.createTopic(stream.out, PARTITIONS)
    stream.#load = stream.#write()
    // Told by whoever waits for it; until then it is no unhandled one.
    stream.#load.catch(() => {})
    return stream
  }

  async #write(): Promise<void> {
    while (!this.#ends) {
      const messages = Array.from({ length: this.#perStep }, () => this.#next())
      await this.#kafka.produce(this.in, messages)
      await sleep(STEP_MS)
    }
  }

  #next() {
    const id = this.#sent++
    const key = `key-${id % KEYS}`
    const amount = (id * 7919) % 101
    const total = this.#totals.get(key) ?? { n: 0, sum: 0 }
    total.n++
    total.sum += amount
    this.#totals.set(key, total)
    this.#expected.push(`${key} ${total.n} ${total.sum}`)
    return { partition: (id % KEYS) % PARTITIONS, key, value: JSON.stringify({ key, amount }) }
  }

  /** Lines that consumers with `read_committed` see now. */
  async lines(): Promise<string[]> {
    return (await this.#kafka.readCommitted(this.out)).map(({ value }) => String(value))
  }

  /** Waits until records that are written from now on have come out. Returns how long that took, in ms: at most the interval of checkpoints when all is well. */
  async flows(withinMs: number): Promise<number> {
    const sinceMs = Date.now()
    const wanted = this.#expected.length + 1
    for (;;) {
      if ((await this.lines()).length >= wanted) return Date.now() - sinceMs
      if (Date.now() - sinceMs > withinMs)
        throw new Error(`Nothing new came out for ${withinMs} ms: ${wanted} lines are wanted in ${this.out}`)
      await sleep(LOOK_MS)
    }
  }

  /** Looks from now on for how long at most nothing comes out, until it is asked. */
  pauses(): { longestMs(): Promise<number> } {
    let ends = false
    const looks = (async () => {
      let [count, sinceMs, longestMs] = [0, Date.now(), 0]
      while (!ends) {
        const now = (await this.lines()).length
        if (now > count) {
          longestMs = Math.max(longestMs, Date.now() - sinceMs)
          count = now
          sinceMs = Date.now()
        }
        await sleep(LOOK_MS)
      }
      return longestMs
    })()
    looks.catch(() => {})
    return {
      longestMs: () => {
        ends = true
        return looks
      },
    }
  }

  /** Ends the load, waits until all of it has come out, and throws when what came out is not what is expected. @param marked what may stand behind lines: see `mark` of the job */
  async verify(withinMs = 30_000, marked = /^\S+ \d+ \d+$/): Promise<{ records: number; lines: readonly string[] }> {
    this.#ends = true
    await this.#load
    const untilMs = Date.now() + withinMs
    for (;;) {
      const lines = await this.lines()
      const found = lines.map((line) => line.split(' ').slice(0, 3).join(' '))
      const problems = differences(found, this.#expected)
      const strange = lines.find((line) => !marked.test(line))
      if (problems.length === 0 && strange === undefined) return { records: this.#sent, lines }
      // More of one line does not get better by waiting.
      if (Date.now() > untilMs || found.length > this.#expected.length || strange !== undefined)
        throw new Error(
          `${this.out} is not what ${this.#sent} records give:\n  ${[...problems, ...(strange === undefined ? [] : [`a line that nobody writes: ${strange}`])].slice(0, 8).join('\n  ')}`,
        )
      await sleep(POLL_MS)
    }
  }

  /** Ends the load, whatever came of it. */
  async end(): Promise<void> {
    this.#ends = true
    await this.#load?.catch(() => {})
  }
}

/** Lines that are missing, and lines that are there too often. */
export function differences(found: readonly string[], expected: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const line of expected) counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const line of found) counts.set(line, (counts.get(line) ?? 0) - 1)
  return [...counts].flatMap(([line, n]) => (n > 0 ? [`missing: ${line}`] : n < 0 ? [`${-n} too many: ${line}`] : []))
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
