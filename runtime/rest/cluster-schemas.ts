/** `/overview` and `/config`. */
import { z } from 'zod'

export const overview = z.object({
  taskmanagers: z.number(),
  'taskmanagers-blocked': z.number(),
  'slots-total': z.number(),
  'slots-available': z.number(),
  'slots-free-and-blocked': z.number(),
  'jobs-running': z.number(),
  'jobs-finished': z.number(),
  'jobs-cancelled': z.number(),
  'jobs-failed': z.number(),
  'flink-version': z.string(),
  'flink-commit': z.string(),
  'tailrace-version': z.string(),
})
export type Overview = z.infer<typeof overview>

export const dashboard = z.object({
  'refresh-interval': z.number(),
  'timezone-name': z.string(),
  'timezone-offset': z.number(),
  'flink-version': z.string(),
  'flink-revision': z.string(),
  'tailrace-version': z.string(),
  features: z.object({
    'web-submit': z.boolean(),
    'web-cancel': z.boolean(),
    'web-rescale': z.boolean(),
    'web-history': z.boolean(),
  }),
})
export type Dashboard = z.infer<typeof dashboard>
