/**
 * Counts the clicks on each page by country, in windows of event time, from one topic of Kafka into another, exactly once. Clicks come up to
 * 30 s out of order; a window takes more for another minute and then shows its new count; what comes later still goes to a topic of its own.
 *
 *   npx tailrace run examples/click-aggregation.ts --kafka.bootstrap localhost:9092
 *   npx tailrace run examples/click-aggregation.ts --window '1 min' --checkpoints 5s --bounded
 *
 * docs/kafka-examples.md makes the topics and the clicks: examples/load-clicks.ts.
 */
import {
  type DataStream,
  OutputTag,
  type StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  types,
  WatermarkStrategy,
} from 'tailrace'
import { kafkaSink, kafkaSource } from 'tailrace/connectors/kafka'
import { json } from 'tailrace/formats/json'
import { kafkaArguments } from './kafka/arguments.ts'

export interface Click {
  user_id: string
  page_id: string
  country: string
  click_ts: Date
}

export interface PageViews {
  page_id: string
  country: string
  window_start: string
  window_end: string
  click_count: number
}

/** A message that is no click is counted in `numRecordsInErrors`, and passed over. */
export const click = json<Click>({
  schema: types.row({ user_id: types.string, page_id: types.string, country: types.string, click_ts: types.date }),
})

export const lateClicks = new OutputTag<Click>('late-clicks')

const inOrder = WatermarkStrategy.forBoundedOutOfOrderness<Click>('30s')
  .withTimestampAssigner((click) => click.click_ts.getTime())
  .withIdleness('2 min')

export default async function main(env: StreamExecutionEnvironment) {
  const { window = '5 min', checkpoints = '60s', bounded } = env.parameters
  const { properties, ...cluster } = kafkaArguments(env.parameters)
  env.enableCheckpointing(checkpoints)
  env
    .getCheckpointConfig()
    .setCheckpointTimeout('2 min')
    .setTolerableCheckpointFailureNumber(3)
    .setExternalizedCheckpointRetention('RETAIN_ON_CANCELLATION')

  const clicks = kafkaSource({
    ...cluster,
    topics: 'click-events',
    groupId: 'click-aggregation',
    startingOffsets: { committed: 'earliest' },
    ...(bounded !== undefined && { bounded: 'latest' as const }),
    value: click,
    onError: 'skip',
    properties: { 'fetch.min.bytes': 65_536, 'fetch.max.wait.ms': 500, ...properties },
  })
  const counts = viewsPerPage(env.fromSource(clicks, inOrder, 'clicks').uid('clicks'), window)

  const exactlyOnce = { ...cluster, deliveryGuarantee: 'exactly-once' } as const
  const written = { 'compression.type': 'lz4', ...properties }
  counts
    .sinkTo(
      kafkaSink({
        ...exactlyOnce,
        topic: 'page-view-counts',
        transactionalIdPrefix: 'page-view-counts',
        // The same for each count of a window, so that a compacted topic keeps the last.
        key: ({ page_id, country, window_start }: PageViews) => `${page_id} ${country} ${window_start}`,
        value: json<PageViews>(),
        properties: written,
      }),
    )
    .name('page view counts')
    .uid('page-view-counts')
  counts
    .getSideOutput(lateClicks)
    .sinkTo(
      kafkaSink({
        ...exactlyOnce,
        topic: 'late-clicks',
        transactionalIdPrefix: 'late-clicks',
        key: (click: Click) => click.page_id,
        value: click,
        properties: written,
      }),
    )
    .name('late clicks')
    .uid('late-clicks')

  await env.execute('click aggregation')
}

/** The count of each window and, for a minute of event time, the new one with each click that it takes after its end. */
export function viewsPerPage(clicks: DataStream<Click>, window: string) {
  return clicks
    .keyBy((click) => [click.page_id, click.country])
    .window(TumblingEventTimeWindows.of(window))
    .allowedLateness('1 min')
    .sideOutputLateData(lateClicks)
    .aggregate(
      { createAccumulator: () => ({ n: 0 }), add: (_, a) => ({ n: a.n + 1 }), getResult: (a) => a.n },
      ([page_id, country], { start, end }, [click_count]): PageViews[] => [
        { page_id, country, window_start: iso(start), window_end: iso(end), click_count },
      ],
    )
    .name('views per page and country')
    .uid('views')
}

const iso = (ms: number) => new Date(ms).toISOString()
