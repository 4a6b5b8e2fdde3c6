/**
 * Whether a checkpoint begins now, which one, or until when nothing does [CC-01, CC-03, CC-04].
 *
 * Pure. What was asked for goes first: the savepoint that stops the job, then savepoints, then the last checkpoint of a job whose input has ended, then checkpoints
 * that somebody wants, then the periodic ones. What must hold:
 * - none begins while tasks start, or while those whose end the last one holds are about to finish: the plan of who begins and who acknowledges would be wrong;
 * - a savepoint has the job to itself, as its barrier must not overtake or be overtaken;
 * - a pause or a limit delays the periodic ones, and skips none that is due after it.
 */
import type { TasksState } from './checkpoint-plan.ts'

export interface TriggerFacts {
  /** All times are of one clock that never goes back, milliseconds; -Infinity is never. */
  nowMs: number
  tasks: TasksState
  /** Tasks are about to finish, and are waited for until then. */
  leavingUntilMs: number
  /** One has begun, and the source enumerators have not given their states yet. */
  beginning: boolean
  /** Under way in tasks or in the store. */
  pending: number
  savepointPending: boolean
  /** How the job is being stopped; with `drain` once its data has ended. */
  stop: 'no' | 'suspend' | 'drain'
  wantsSavepoint: boolean
  wantsCheckpoint: boolean
  /** undefined: no periodic ones. Infinity: not now (a backlog). */
  intervalMs: number | undefined
  minPauseMs: number
  maxConcurrent: number
  /** Begin of the last periodic one, or of the attempt. */
  lastBeginMs: number
  lastCompletedMs: number
  /** After a last checkpoint that failed. */
  finalNotBeforeMs: number
}

export type TriggerKind = 'stop' | 'savepoint' | 'final' | 'manual' | 'periodic'
export type TriggerDecision =
  | { begin: TriggerKind }
  /** Infinity: until something happens. */
  | { waitMs: number; why: string }

export function decideTrigger(facts: TriggerFacts): TriggerDecision {
  const { nowMs, tasks, pending } = facts
  const wait = (why: string, untilMs = Number.POSITIVE_INFINITY): TriggerDecision => ({ waitMs: untilMs - nowMs, why })
  if (tasks === 'finished' && facts.stop !== 'drain') return wait('all tasks have finished')
  if (tasks === 'not all run') return wait('not all tasks run')
  if (facts.beginning) return wait('another one begins')
  if (facts.savepointPending) return wait('a savepoint is under way')
  if (nowMs < facts.leavingUntilMs) return wait('tasks are about to finish', facts.leavingUntilMs)
  if (facts.stop !== 'no') {
    if (pending > 0) return wait('the job is being stopped, and a checkpoint is under way')
    if (facts.stop === 'drain' && tasks === 'run') return wait('the job is being drained')
    return { begin: 'stop' }
  }
  if (facts.wantsSavepoint) return pending > 0 ? wait('a savepoint waits for a checkpoint') : { begin: 'savepoint' }
  if (tasks === 'ended' && facts.intervalMs !== undefined) {
    if (pending > 0) return wait('the input has ended, and a checkpoint is under way')
    if (nowMs < facts.finalNotBeforeMs) return wait('the last checkpoint failed', facts.finalNotBeforeMs)
    return { begin: 'final' }
  }
  if (pending >= facts.maxConcurrent) return wait('as many as may be are under way')
  if (facts.wantsCheckpoint) return { begin: 'manual' }
  if (facts.intervalMs === undefined) return wait('no periodic checkpoints')
  const dueMs = Math.max(facts.lastBeginMs + facts.intervalMs, facts.lastCompletedMs + facts.minPauseMs)
  return nowMs >= dueMs ? { begin: 'periodic' } : wait('the next one is not due', dueMs)
}
