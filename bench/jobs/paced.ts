/**
 * Measures a job whose source keeps a rate: how late its results are.
 */
import { Histogram } from '../histogram.ts'
import { type Figures, Meter, round } from '../measure.ts'
import { HostGaps } from './host-gaps.ts'

/** Of a run, left out at its beginning; Flink's run of 24 s leaves out 8. */
const SKIPPED_SHARE = 1 / 3

/**
 * Runs a job of so many records at `rate` a second; latencies are those that its accumulators hold (histogram.ts).
 *
 * @param run runs it to its end, with latencies counted after `skipMs`; gives its accumulators
 */
export async function measurePaced(
  records: number,
  rate: number,
  run: (skipMs: number) => Promise<Record<string, number>>,
): Promise<Figures> {
  const gaps = new HostGaps()
  const meter = new Meter()
  const accumulators = await run((records / rate) * 1000 * SKIPPED_SHARE)
  const figures = meter.figures(records, accumulators.out ?? 0)
  const latency = Histogram.from(accumulators)
  const ms = (q: number) => round(latency.quantileMs(q), 3)
  return {
    ...figures,
    p50Ms: ms(0.5),
    p99Ms: ms(0.99),
    p999Ms: ms(0.999),
    maxMs: ms(1),
    hostGapMaxMs: round(await gaps.stop(), 2),
  }
}
