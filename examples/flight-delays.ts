/**
 * Departure delays per airport and day, over real flights: keyed, windowed, in event time.
 *
 *   npm start                         a day of 2001 every second, until Ctrl-C
 *   npm start -- --speed 604800       a week every second
 *   npm start -- --records 200000     as fast as it goes, ends with totals
 *
 * Flights come in the order in which they left, so those that were delayed are out of order. The watermark waits half an hour for them;
 * a flight that is left behind even so, because it left when the windows of its day were closed, goes to a side output.
 */
import {
  type DataStream,
  OutputTag,
  type StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  WatermarkStrategy,
} from 'tailrace'
import { type AirportDay, board, intro, lateLine, rank, summary, type Totals } from './flights/board.ts'
import { type Flight, replayFlights } from './flights/replay-source.ts'
import { SteppedWatermarks } from './flights/stepped-watermarks.ts'
import { Tally } from './flights/tally.ts'

/** Longer than any replay: a window of this size ends with the input. */
const FOREVER = Number.MAX_SAFE_INTEGER

export const tooLate = new OutputTag<Flight>('too late')

export const scheduled = WatermarkStrategy.forGenerator<Flight>(
  () => new SteppedWatermarks({ bound: '30 min', step: '3 h' }),
).withTimestampAssigner((flight) => flight.scheduledMs)

export default async function main(env: StreamExecutionEnvironment) {
  const records = Number(env.parameters.records ?? Number.POSITIVE_INFINITY)
  const bounded = records !== Number.POSITIVE_INFINITY
  const speed = Number(env.parameters.speed ?? (bounded ? Number.POSITIVE_INFINITY : 86_400))

  const flights = env.fromSource(replayFlights({ records, speed }), scheduled, 'flights').setParallelism(1)
  const days = delaysPerDay(flights)
  const late = days.getSideOutput(tooLate).map(new Tally('flights too late'))

  // All airports of a day, or of the whole input, under one key: the worst come first.
  days
    .map(new Tally('airport days'))
    .map(new Tally('flights', (day) => day.flights))
    .keyBy(() => 'all')
    .window(TumblingEventTimeWindows.of(bounded ? FOREVER : '1 day'))
    .aggregate(rank, (_, window, [ranking]) => [board(window, ranking)])
    .name('worst airports')
    .print()
    .setParallelism(1)
    .name('board')
  if (!bounded) late.map(lateLine).print().setParallelism(1).name('flights too late')

  console.log(intro(speed))
  const result = await env.execute('flight delays')
  console.log(summary(result))
}

/** Flights, how many of them were delayed and by how much in all, per airport and day. */
export function delaysPerDay(flights: DataStream<Flight>) {
  return flights
    .keyBy((flight) => flight.origin)
    .window(TumblingEventTimeWindows.of('1 day'))
    .sideOutputLateData(tooLate)
    .aggregate(
      {
        createAccumulator: (): Totals => ({ flights: 0, delayed: 0, delayMin: 0 }),
        add(flight, totals) {
          totals.flights++
          totals.delayMin += flight.delayMin
          if (flight.delayMin > 15) totals.delayed++
          return totals
        },
        getResult: (totals) => totals,
      },
      (airport, window, [totals]): AirportDay[] => [{ airport, dayMs: window.start, ...totals }],
    )
    .name('delays per airport and day')
}
