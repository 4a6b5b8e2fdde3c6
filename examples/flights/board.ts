/**
 * Ranks airports by their mean delay, and writes what the terminal shows: a line a day under a heading a month, or one table for a whole
 * replay; at most 110 columns.
 */
import type { AggregateFunction, JobResult, TimeWindow } from 'tailrace'
import type { Flight } from './replay-source.ts'

export interface Totals {
  flights: number
  /** Of them, those that left more than 15 minutes late. */
  delayed: number
  /** Sum; flights that left early count below zero. */
  delayMin: number
}

export interface AirportDay extends Totals {
  airport: string
  dayMs: number
}

export interface Ranking extends Totals {
  firstDayMs: number
  lastDayMs: number
  airportDays: number
  /** By mean delay, worst first. */
  worst: (Totals & { airport: string })[]
}

interface Gathered extends Ranking {
  byAirport: Map<string, Totals & { airport: string }>
}

const DAY_MS = 86_400_000
/** Airports with fewer of a board's flights than this share, or with one, are left out: their means say little. */
const SHARE_MIN = 1 / 500
const LINE_AIRPORTS = 6
const TABLE_AIRPORTS = 10
const BAR_COLUMNS = 40

/** Adds up airports over the days of a window. */
export const rank: AggregateFunction<AirportDay, Gathered, Ranking> = {
  createAccumulator: () => ({
    flights: 0,
    delayed: 0,
    delayMin: 0,
    firstDayMs: Number.POSITIVE_INFINITY,
    lastDayMs: Number.NEGATIVE_INFINITY,
    airportDays: 0,
    worst: [],
    byAirport: new Map(),
  }),
  add(day, all) {
    let airport = all.byAirport.get(day.airport)
    if (airport === undefined) {
      airport = { airport: day.airport, flights: 0, delayed: 0, delayMin: 0 }
      all.byAirport.set(day.airport, airport)
    }
    for (const totals of [airport, all]) {
      totals.flights += day.flights
      totals.delayed += day.delayed
      totals.delayMin += day.delayMin
    }
    all.firstDayMs = Math.min(all.firstDayMs, day.dayMs)
    all.lastDayMs = Math.max(all.lastDayMs, day.dayMs)
    all.airportDays++
    return all
  },
  getResult({ byAirport, ...ranking }) {
    const flightsMin = Math.max(2, ranking.flights * SHARE_MIN)
    const worst = [...byAirport.values()].filter((airport) => airport.flights >= flightsMin)
    return { ...ranking, worst: worst.sort((a, b) => mean(b) - mean(a)).slice(0, TABLE_AIRPORTS) }
  },
}

export function intro(speed: number): string {
  const days = speed / 86_400
  const pace = days === 1 ? 'a day a second' : `${grouped(days)} days a second`
  return `Flights in the USA from January 2001 on, ${days === Infinity ? 'as fast as it goes' : pace}. Delayed is more than 15 minutes.`
}

export function board(window: TimeWindow, ranking: Ranking): string {
  return window.end - window.start === DAY_MS ? dayLine(ranking) : table(ranking)
}

function dayLine(ranking: Ranking): string {
  const worst = ranking.worst
    .slice(0, LINE_AIRPORTS)
    .map((airport) => `${airport.airport} ${pad(Math.round(mean(airport)) + 0, 4)}`)
  const line = [
    day(ranking.firstDayMs),
    pad(ranking.flights, 7),
    pad(percent(ranking), 7),
    pad(minutes(ranking), 10),
    ` ${worst.join('  ')}`,
  ].join('  ')
  return line.slice(8, 10) === '01' ? `\n${heading(ranking.firstDayMs)}\n${line}` : line
}

function heading(dayMs: number): string {
  const month = new Date(dayMs).toLocaleString('en', { month: 'short', year: 'numeric', timeZone: 'UTC' })
  return `${month.padEnd(10)}  flights  delayed  mean delay   worst airports, mean delay in minutes`
}

function table(ranking: Ranking): string {
  const longest = Math.max(1, ...ranking.worst.map(mean))
  const rows = ranking.worst.map((airport, i) =>
    [
      pad(i + 1, 4),
      airport.airport.padEnd(7),
      pad(grouped(airport.flights), 9),
      pad(percent(airport), 7),
      pad(minutes(airport), 10),
      ` ${'█'.repeat(Math.max(0, Math.round((mean(airport) / longest) * BAR_COLUMNS)))}`,
    ].join('  '),
  )
  return [
    `\nWorst airports, ${day(ranking.firstDayMs)} to ${day(ranking.lastDayMs)}\n`,
    '      airport    flights  delayed  mean delay',
    ...rows,
    '',
    ['      all    ', pad(grouped(ranking.flights), 9), pad(percent(ranking), 7), pad(minutes(ranking), 10), '']
      .join('  ')
      .trimEnd(),
  ].join('\n')
}

/** A flight that came when its day was closed. */
export function lateLine({ origin, destination, scheduledMs, delayMin }: Flight): string {
  const scheduled = new Date(scheduledMs).toISOString().slice(0, 16).replace('T', ' ')
  const delay = `${Math.floor(delayMin / 60)} h ${pad(delayMin % 60, 2)} min`
  return `            too late for its day: ${origin} to ${destination}, scheduled ${scheduled}, delayed by ${delay}`
}

export function summary({ accumulators, netRuntimeMs }: JobResult): string {
  const { flights = 0, 'airport days': airportDays = 0, 'flights too late': late = 0 } = accumulators
  const records = flights + late
  const perSecond = Math.round((records * 1000) / Math.max(1, netRuntimeMs))
  return [
    '',
    `  ${grouped(records)} flights = ${grouped(flights)} in ${grouped(airportDays)} airport days + ${grouped(late)} too late for their day`,
    `  ${(netRuntimeMs / 1000).toFixed(2)} s, ${grouped(perSecond)} flights a second`,
  ].join('\n')
}

const mean = ({ delayMin, flights }: Totals) => delayMin / flights
// Without the sign of a rounded zero.
const minutes = (totals: Totals) => `${(Math.round(mean(totals) * 10) / 10 + 0).toFixed(1)} min`
const percent = ({ delayed, flights }: Totals) => `${Math.round((delayed / flights) * 100)} %`
const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
const grouped = (n: number) => n.toLocaleString('en')
const pad = (value: string | number, columns: number) => String(value).padStart(columns)
