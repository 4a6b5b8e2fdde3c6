/** Metrics by name. Values are texts, as int64 does not fit a JSON number. */
import { z } from 'zod'

/** Without `get` ids alone, with it values. */
export const metricValues = z.object({
  metrics: z.array(z.object({ id: z.string(), value: z.string().optional() })),
})

/** Flink's contract has it as a bare list. */
export const aggregatedMetrics = z.array(
  z.object({
    id: z.string(),
    min: z.number().optional(),
    max: z.number().optional(),
    sum: z.number().optional(),
    avg: z.number().optional(),
    /** Largest deviation from the average, percent of the average. */
    skew: z.number().optional(),
  }),
)
export type AggregatedMetric = z.infer<typeof aggregatedMetrics>[number]
