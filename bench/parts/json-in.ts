/**
 * json-in: bids as JSON lines of 200 bytes out of files on the local disk (in the page cache: they were just written), read by two slots with
 * the public file source and counted.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MiniCluster } from 'tailrace/testing'
import { type CaseInput, type Figures, Meter, round } from '../measure.ts'
import { KINDS } from './records.ts'

const FILES = 8
/** Distinct lines; a file repeats them. */
const LINES = 4096
const WARM_UP_FILES = 1

export async function run({ records }: CaseInput): Promise<Figures> {
  const bids = KINDS.wide.make(LINES)
  const block = Buffer.from(bids.map((bid) => `${JSON.stringify(bid)}\n`).join(''))
  const blocks = Math.ceil(records / FILES / LINES)
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'))
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  try {
    const file = Buffer.concat(Array.from({ length: blocks }, () => block))
    for (let i = 0; i < FILES + WARM_UP_FILES; i++) writeFileSync(join(directory, `${i}.jsonl`), file)
    const read = async (path: string) => {
      const url = new URL('./json-in-job.ts', import.meta.url).href
      const { results } = await cluster.runProgram(url, { parameters: { path } })
      return results[0]!.accumulators
    }
    await read(join(directory, `${FILES}.jsonl`))
    rmSync(join(directory, `${FILES}.jsonl`))
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
