/**
 * Ranges of the settings of operators and jobs. Checked where the author sets them, so that the stack names the line, and again
 * when the graph is compiled, since settings also come from the command line.
 */
import { TailraceError } from '../core/errors.ts'
import { MAX_PARALLELISM_LIMIT } from '../core/key-groups.ts'

/** `who` is the operator's or job's name with its kind, such as `operator "parse"`. */
export function checkParallelism(value: number, who: string): void {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_PARALLELISM_LIMIT) return
  throw new TailraceError(
    'TR-GRAPH-005',
    `Cannot run ${who} at parallelism ${value}: a whole number from 1 to ${MAX_PARALLELISM_LIMIT} is wanted`,
  )
}

export function checkMaxParallelism(value: number, who: string): void {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_PARALLELISM_LIMIT) return
  throw new TailraceError(
    'TR-GRAPH-005',
    `Cannot use ${value} as max parallelism of ${who}: a whole number from 1 to ${MAX_PARALLELISM_LIMIT} is wanted`,
  )
}

export function checkParallelismFits(parallelism: number, maxParallelism: number, who: string): void {
  if (parallelism <= maxParallelism) return
  throw new TailraceError(
    'TR-GRAPH-005',
    `Cannot run ${who} at parallelism ${parallelism}: its max parallelism is ${maxParallelism}; raise it with setMaxParallelism() or lower the parallelism`,
  )
}

/** -1: send full batches only; 0: send after every record. */
export function checkBufferTimeout(valueMs: number, who: string): void {
  if (valueMs === -1 || (valueMs >= 0 && valueMs < Infinity)) return
  throw new TailraceError(
    'TR-GRAPH-005',
    `Cannot use ${valueMs} ms as buffer timeout of ${who}: 0 or more is wanted, or -1 to send full batches only`,
  )
}
