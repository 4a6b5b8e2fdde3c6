/**
 * Collects the airports of a day and shows the worst when the day is complete.
 *
 * State: the day's airports. A timer at the end of the day fires when the watermark says that all of them have come: windows of the day
 * emit at its last millisecond.
 */
import { type Collector, KeyedProcessFunction, type KeyedProcessContext, ListStateDescriptor, type ListState, type RuntimeContext } from 'tailrace'

export interface AirportDay {
  airport: string
  dayMs: number
  flights: number
  delayed: number
  delayMin: number
  worstMin: number
}

const DAY_MS = 86_400_000

export class DayBoard extends KeyedProcessFunction<number, AirportDay, string> {
  readonly #top: number
  readonly #print: boolean
  #airports!: ListState<AirportDay>
  #context!: RuntimeContext

  constructor({ top, print }: { top: number; print: boolean }) {
    super()
    this.#top = top
    this.#print = print
  }

  override open(context: RuntimeContext): void {
    this.#context = context
    this.#airports = context.getListState(new ListStateDescriptor<AirportDay>('airports'))
  }

  override processElement(day: AirportDay, context: KeyedProcessContext<number>): void {
    this.#airports.add(day)
    context.timerService.registerEventTimeTimer(day.dayMs + DAY_MS)
    this.#context.accumulator('flights').inc(day.flights)
    this.#context.accumulator('airport days').inc()
  }

  override onTimer(timestampMs: number, _context: KeyedProcessContext<number>, out: Collector<string>): void {
    const airports = [...this.#airports.get()]
    this.#airports.clear()
    if (this.#print) out.collect(this.#board(timestampMs - DAY_MS, airports))
  }

  #board(dayMs: number, airports: AirportDay[]): string {
    const flights = airports.reduce((n, a) => n + a.flights, 0)
    const worst = airports
      .filter((a) => a.flights > 1)
      .sort((a, b) => b.delayMin / b.flights - a.delayMin / a.flights)
      .slice(0, this.#top)
      .map((a) => `${a.airport} ${(a.delayMin / a.flights).toFixed(0).padStart(4)} min (${a.delayed}/${a.flights} late)`)
    return `${new Date(dayMs).toISOString().slice(0, 10)}  ${String(flights).padStart(4)} flights   ${worst.join('   ')}`
  }
}
