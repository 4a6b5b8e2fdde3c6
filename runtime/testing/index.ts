/** The door `tailrace/testing`: run jobs in tests, drive one operator, move time by hand. */
export { ManualClock } from '../core/clock.ts'
export type { HarnessRecord } from './harness-subtask.ts'
export { MiniCluster, type MiniClusterOptions, type ProgramOutcome, type RunOptions } from './mini-cluster.ts'
export {
  type HarnessInput,
  type HarnessOptions,
  type HarnessSnapshot,
  OperatorHarness,
  type OutputOf,
} from './operator-harness.ts'
