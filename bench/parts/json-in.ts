/**
 * json-in: bids as JSON lines of 200 bytes out of files on the local disk (in the page cache: they were just written), read by two slots with
 * the public file source and counted.
 */
import { linkSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MiniCluster } from 'tailrace/testing'
import { type CaseInput, type Figures, Meter, round } from '../measure.ts'
import { KINDS } from './records.ts'

/** Names of one file: what is read comes out of the page cache anyway, and a disk needs not hold it all. */
const FILES = 32
/** Distinct lines; a file repeats them. */
const LINES = 4096

export async function run({ records }: CaseInput): Promise<Figures> {
  const bids = KINDS.wide.make(LINES)
  const block = Buffer.from(bids.map((bid) => `${JSON.stringify(bid)}\n`).join(''))
  const blocks = Math.ceil(records / FILES / LINES)
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'))
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  try {
    const first = join(directory, '0.jsonl')
    writeFileSync(first, Buffer.concat(Array.from({ length: blocks }, () => block)))
    const read = async (path: string) => {
      const url = new URL('./json-in-job.ts', import.meta.url).href
      const { results } = await cluster.runProgram(url, { parameters: { path } })
      return results[0]!.accumulators
    }
    await read(first)
    for (let i = 1; i < FILES; i++) linkSync(first, join(directory, `${i}.jsonl`))
    const meter = new Meter()
    const { out, weight } = await read(directory)
    const total = blocks * FILES * LINES
    const wanted = bids.reduce((sum, bid) => sum + KINDS.wide.weigh(bid) + bid.url.length, 0) * blocks * FILES
    if (out !== total || weight !== wanted) {
      throw new Error(`Cannot trust json-in: ${out} of ${total} bids came, weight ${weight} of ${wanted}`)
    }
    const figures = meter.figures(total, out)
    return {
      ...figures,
      bytesPerRecord: Math.round(block.length / LINES),
      cpuNsPerByte: round(figures.cpuNsPerRecord / (block.length / LINES), 3),
    }
  } finally {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
