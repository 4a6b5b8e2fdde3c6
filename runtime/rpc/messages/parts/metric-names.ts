/** What a slot reports of its metrics (metrics/page.ts). */
import { z } from 'zod'
import type { MetricName } from '../../../metrics/page.ts'
import { count, id, texts } from './numbers.ts'
import { schemaOf } from './schema-of.ts'

export const metricName = schemaOf<MetricName>()(
  z.strictObject({
    index: count,
    scope: z.enum(['task', 'operator']),
    kind: z.enum(['counter', 'gauge']),
    name: z.string(),
    labels: texts,
    vertexId: id,
    subtask: count,
    operatorId: z.string().optional(),
  }),
)
