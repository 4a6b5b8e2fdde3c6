/** Entry of the process that runs one case once and sends its figures to main.ts. */
import { CASES } from './cases.ts'
import { calibrate, type Figures, peakRssMb, round } from './measure.ts'

export interface ChildTask {
  name: string
  records: number
  settings: Record<string, string>
}

export type ChildResult = (Figures & { calibrationNs: number; ratio: number; peakRssMb: number }) | { error: string }

process.once('message', async ({ name, records, settings }: ChildTask) => {
  const result: ChildResult = await measure(name, records, settings).catch((error: unknown) => ({
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }))
  process.send!(result, () => process.exit(0))
})

async function measure(name: string, records: number, settings: Record<string, string>): Promise<ChildResult> {
  const calibrationNs = calibrate()
  const run = await CASES[name]!.load()
  const figures = await run({ records, settings })
  return { ...figures, calibrationNs, ratio: round(figures.cpuNsPerRecord / calibrationNs, 2), peakRssMb: peakRssMb() }
}
