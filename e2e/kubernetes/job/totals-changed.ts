/** A later version of totals.ts: another operator behind the one with state, and `v2` behind each line. What was counted goes on. */
import type { StreamExecutionEnvironment } from 'tailrace'
import totals from './totals.ts'

export default async function main(env: StreamExecutionEnvironment) {
  await totals(env, (lines) => lines.map((line) => `${line} v2`).uid('mark'))
}
