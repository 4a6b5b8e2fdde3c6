/**
 * What user functions and connectors see of metrics. Values live in memory that the metrics reader shares, so that a scrape
 * never asks a slot (metrics/page.ts).
 */

export interface Counter {
  inc(by?: number): void
  value(): number
}

/** A number that a function sets; the last one holds. */
export interface Gauge {
  set(value: number): void
  value(): number
}

export interface MetricGroup {
  /** `name` in camelCase as Flink's; with the group's scope it becomes the exported name. The same name gives the same counter. */
  counter(name: string): Counter
  gauge(name: string): Gauge
  /** Prefixes the names that follow; with a value it becomes a label: `group('topic', 'orders')`. */
  group(name: string, value?: string): MetricGroup
}
