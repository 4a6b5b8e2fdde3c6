/**
 * Departure delays per airport and day, over real flights: keyed, windowed, in event time.
 *
 *   npm start                         a day of 2001 every second, until Ctrl-C
 *   npm start -- --records 200000     as fast as it goes, ends with totals
 *   npm start -- --speed 604800       a week every second
 *
 * Flights come in the order in which they left, so delayed ones are out of order. The watermark waits three hours for them; a flight that
 * left later than that into the next day goes to a side output and is counted, not lost.
 */
import { OutputTag, type StreamExecutionEnvironment, TumblingEventTimeWindows, WatermarkStrategy } from 'tailrace'
import { type Flight, replayFlights } from './flights/replay-source.ts'
import { DayBoard } from './flights/day-board.ts'

const late = new OutputTag<Flight>('late')

export default async function main(env: StreamExecutionEnvironment) {
  const records = Number(env.parameters.records ?? Number.POSITIVE_INFINITY)
  const bounded = records !== Number.POSITIVE_INFINITY
  const speed = Number(env.parameters.speed ?? (bounded ? 0 : 86_400))

  const flights = env.fromSource(
    replayFlights({ records, speed }),
    WatermarkStrategy.forBoundedOutOfOrderness<Flight>('3 h').withTimestampAssigner((flight) => flight.scheduledMs),
    'flights',
  )

  const days = flights
    .keyBy((flight) => flight.origin)
    .window(TumblingEventTimeWindows.of('1 day'))
    .sideOutputLateData(late)
    .aggregate(
      {
        createAccumulator: () => ({ flights: 0, delayed: 0, delayMin: 0, worstMin: 0 }),
        add(flight, day) {
          day.flights++
          day.delayMin += flight.delayMin
          if (flight.delayMin > 15) day.delayed++
          if (flight.delayMin > day.worstMin) day.worstMin = flight.delayMin
          return day
        },
        getResult: (day) => day,
      },
      (airport, window, results, out) => {
        for (const day of results) out.collect({ airport, dayMs: window.start, ...day })
      },
    )
    .name('delays per airport and day')

  days
    .keyBy((day) => day.dayMs)
    .process(new DayBoard({ top: 5, print: !bounded }))
    .name('worst airports of the day')
    .print()
    .name('board')

  days
    .getSideOutput(late)
    .map({
      open(context) {
        this.count = context.accumulator('late flights')
      },
      count: undefined as undefined | { inc(): void },
      map(flight) {
        this.count!.inc()
        return flight
      },
    })
    .name('late flights')

  const result = await env.execute('flight delays')
  if (bounded) {
    const { 'airport days': airportDays = 0, 'late flights': lateFlights = 0, flights: counted = 0 } = result.accumulators
    console.log(`${counted + lateFlights} flights: ${counted} in ${airportDays} airport days, ${lateFlights} too late`)
    console.log(`${Math.round((records / result.netRuntimeMs) * 1000).toLocaleString('en')} flights a second`)
  }
}
