/** Slot to JobManager: names of metrics that are new in its page. */
import { z } from 'zod'
import { list } from '../parts/list.ts'
import { metricName } from '../parts/metric-names.ts'

export const metricNames = z.strictObject({ type: z.literal('metricNames'), names: list(metricName) })
