/**
 * How the three kinds of functions of connected streams are called: map, flatMap and process, one call per input.
 *
 * Loaded once per operator (`hotCopy('operators/co-calls', n)`); each call below is code of its own, so that the inputs keep apart what V8 learns
 * of their records.
 */
import type { CoFlatMapFunction, CoMapFunction } from '../core/co-functions.ts'
import type { Collector } from '../core/functions.ts'

/** A function of connected streams, and of what kind it is. */
export type CoOptions =
  | { kind: 'map'; fn: CoMapFunction<any, any, any> }
  | { kind: 'flatMap'; fn: CoFlatMapFunction<any, any, any> }
  | { kind: 'process'; fn: ProcessesTwo }

interface ProcessesTwo {
  processElement1(value: any, context: any, out: Collector<any>): void
  processElement2(value: any, context: any, out: Collector<any>): void
}

export type Call = (value: any, context: any, out: Collector<any>) => void

export function firstCall({ kind, fn }: CoOptions): Call {
  switch (kind) {
    case 'map':
      return (value, _context, out) => out.collect(fn.map1(value))
    case 'flatMap':
      return (value, _context, out) => collectAll(fn.flatMap1(value, out), out)
    case 'process':
      return (value, context, out) => fn.processElement1(value, context, out)
  }
}

export function secondCall({ kind, fn }: CoOptions): Call {
  switch (kind) {
    case 'map':
      return (value, _context, out) => out.collect(fn.map2(value))
    case 'flatMap':
      return (value, _context, out) => collectAll(fn.flatMap2(value, out), out)
    case 'process':
      return (value, context, out) => fn.processElement2(value, context, out)
  }
}

/** As in flat-map.ts: what is no list is not meant. */
function collectAll(results: Iterable<any> | void, out: Collector<any>): void {
  if (results === undefined || results === null) return
  if (Array.isArray(results)) {
    for (let i = 0; i < results.length; i++) out.collect(results[i])
    return
  }
  if (typeof (results as any)[Symbol.iterator] === 'function') for (const result of results) out.collect(result)
}
