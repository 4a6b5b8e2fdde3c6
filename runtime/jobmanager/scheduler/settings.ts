/** How patient the scheduler is and which slots it takes, by Flink's keys of the adaptive scheduler in both spellings. */
import { ConfigValues } from '../../config/option.ts'
import { SCHEDULER } from '../../config/options/availability.ts'
import { SLOTS } from '../../config/options/processes.ts'
import type { SlotChoice } from '../slot-choice.ts'

/** Which slots a job takes. */
export interface Placement {
  choice: SlotChoice
  /** Which slot serves what is chosen so that TaskManagers have as many tasks each, not only as many slots. */
  spreadTasks: boolean
}

export interface SchedulerSettings {
  /** `scheduler-mode: REACTIVE`: the parallelism follows the slots. */
  reactive: boolean
  placement: Placement
  /** How long a job waits for the fewest slots that it can run with, and the key that says so; Infinity: for ever. */
  slotsWait: { ms: number; key: string }
  /** `slot.idle.timeout`: a job that waits for more gives what it has back after so long. */
  slotIdleMs: number
  /** `jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling`: between two changes of the parallelism. */
  cooldownMs: number
  /** `jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout`: for more slots to come before a job that runs takes those that did. */
  stabilizationMs: number
  /** `jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout`: likewise, before a job is deployed. */
  startStabilizationMs: number
  /** `jobmanager.adaptive-scheduler.rescale-trigger.max-checkpoint-failures`: then a job rescales from an older checkpoint. */
  checkpointFailuresMax: number
  /** `jobmanager.adaptive-scheduler.rescale-trigger.active-checkpoint.enabled`: a change of the parallelism takes a checkpoint, instead of waiting for the next. */
  activeCheckpoint: boolean
  /** `jobmanager.adaptive-scheduler.rescale-trigger.max-delay`: a change of the parallelism waits no longer for a checkpoint; undefined: for as many as may fail. */
  triggerDelayMs: number | undefined
}

/** Throws TR-CONFIG-001. `slotsMs`: of the cluster's `slot.request.timeout`. */
export function readSchedulerSettings(options: Readonly<Record<string, string>>, slotsMs: number): SchedulerSettings {
  const read = new ConfigValues(options, 'TR-CONFIG-001')
  const reactive = read.get(SCHEDULER.mode) === 'REACTIVE'
  return {
    reactive,
    placement: readPlacement(read),
    slotsWait: readSlotsWait(read, reactive, slotsMs),
    slotIdleMs: read.get(SLOTS.idleTimeout),
    cooldownMs: read.get(SCHEDULER.cooldown),
    stabilizationMs: read.get(SCHEDULER.runningStabilization),
    startStabilizationMs:
      reactive && read.find(SCHEDULER.stabilization) === undefined ? 0 : read.get(SCHEDULER.stabilization),
    checkpointFailuresMax: read.get(SCHEDULER.checkpointFailures),
    activeCheckpoint: read.get(SCHEDULER.activeCheckpoint),
    triggerDelayMs: read.get(SCHEDULER.triggerDelay),
  }
}

function readPlacement(read: ConfigValues): Placement {
  const given = read.get(SLOTS.balance)
  const mode = given === 'NONE' && read.get(SLOTS.evenlySpread) ? 'SLOTS' : given
  if (mode === 'SLOTS' || mode === 'TASKS') return { choice: 'even', spreadTasks: mode === 'TASKS' }
  const few = mode === 'MIN_RESOURCES' || read.get(SCHEDULER.minimalTaskManagers)
  return { choice: few ? 'few' : 'in order', spreadTasks: false }
}

function readSlotsWait(read: ConfigValues, reactive: boolean, slotsMs: number): { ms: number; key: string } {
  const found = read.find(SCHEDULER.waitTimeout)
  const adaptive = reactive || read.get(SCHEDULER.kind) === 'Adaptive'
  if (adaptive && found !== undefined) {
    const ms = read.get(SCHEDULER.waitTimeout)!
    return { ms: ms < 0 ? Number.POSITIVE_INFINITY : ms, key: found.key }
  }
  return { ms: reactive ? Number.POSITIVE_INFINITY : slotsMs, key: SLOTS.requestTimeout.key }
}
