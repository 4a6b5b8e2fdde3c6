/**
 * Samples in Prometheus' text format, under Flink's names [M-02, M-03].
 *
 * Every number is exported as a gauge, as Flink does, and every counter a second time as a true counter with `_total`, which
 * `rate()` needs. A scrape fills a fresh registry: names and labels come and go with jobs, and nothing is kept between scrapes.
 */
import { Counter, Gauge, type MetricValue, Registry } from 'prom-client'
import { LONG_MAX, LONG_MIN } from '../core/clock.ts'
import type { Sample } from './sample.ts'

export interface PrometheusOptions {
  /** Replaces what is not a letter, digit, `_` or `:` in label values by `_`, as Flink does by default. */
  filterLabelValueCharacters?: boolean
}

/** What a watermark of `-Infinity` or `Infinity` becomes: the nearest doubles to the ends of int64, spelled as int64. */
const NO_TIME = Number(LONG_MIN)
const END_OF_TIME = Number(LONG_MAX)

/**
 * @example
 * const { body } = await prometheusText(allSamples(reader, 'localhost'))
 */
export async function prometheusText(
  samples: Iterable<Sample>,
  { filterLabelValueCharacters = true }: PrometheusOptions = {},
): Promise<{ contentType: string; body: string }> {
  const registry = new Registry()
  const metrics = new Map<string, SharedValue[]>()
  const labelsOf = labelCache(filterLabelValueCharacters)
  const add = (kind: Sample['kind'], name: string, help: string, value: SharedValue) => {
    let values = metrics.get(name)
    if (values === undefined) {
      values = register(registry, kind, name, help)
      metrics.set(name, values)
    }
    values.push(value)
  }
  for (const sample of samples) {
    const name = metricName(sample)
    const help = helpOf(sample)
    const value: SharedValue = {
      value: sample.name.endsWith('Watermark') ? Math.min(Math.max(sample.value, NO_TIME), END_OF_TIME) : sample.value,
      labels: labelsOf(sample.labels),
      sharedLabels: labelsOf(sample.owner),
    }
    add('gauge', name, help, value)
    if (sample.kind === 'counter') add('counter', `${name}_total`, help, value)
  }
  const text = await registry.metrics()
  return { contentType: registry.contentType, body: text.replaceAll(PRINTED_ENDS, (printed) => INT64_ENDS[printed]!) }
}

/** How JavaScript prints the two doubles; Flink's literals are the same numbers, and the ones people search for. */
const INT64_ENDS: Record<string, string> = {
  [` ${NO_TIME}\n`]: ` ${LONG_MIN}\n`,
  [` ${END_OF_TIME}\n`]: ` ${LONG_MAX}\n`,
}
const PRINTED_ENDS = new RegExp(Object.keys(INT64_ENDS).join('|'), 'g')

/** `flink_taskmanager_job_task_numRecordsIn`. */
export function metricName(sample: Pick<Sample, 'scope' | 'name'>): string {
  return `flink_${sample.scope}_${sample.name}`.replace(/[^a-zA-Z0-9:_]/g, '_')
}

function helpOf({ name, scope }: Sample): string {
  return `${name} (scope: ${scope})`
}

/** Labels in their exported spelling, made once for each object, so that the library flattens shared ones once. */
function labelCache(filter: boolean): (labels: Readonly<Record<string, string>>) => Record<string, string> {
  const made = new Map<object, Record<string, string>>()
  return (labels) => {
    let exported = made.get(labels)
    if (exported === undefined) {
      exported = {}
      for (const key in labels) {
        const value = labels[key]!
        exported[key.replace(/[^a-zA-Z0-9_]/g, '_')] = filter ? value.replace(/[^a-zA-Z0-9:_]/g, '_') : value
      }
      made.set(labels, exported)
    }
    return exported
  }
}

type SharedValue = MetricValue<string> & { sharedLabels: Record<string, string> }

/** A metric that hands over values as they were sampled, without the library's own table of label sets. */
function register(registry: Registry, kind: Sample['kind'], name: string, help: string): SharedValue[] {
  const values: SharedValue[] = []
  const about = { name, help, registers: [registry] }
  const metric = kind === 'counter' ? new Counter(about) : new Gauge(about)
  const object = { name, help, type: kind, aggregator: 'sum', values } as unknown as Awaited<ReturnType<Gauge['get']>>
  metric.get = async () => object
  return values
}
