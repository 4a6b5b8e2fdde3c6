/** How patient the scheduler is, by Flink's keys of the adaptive scheduler in both spellings. */
import { ConfigValues } from '../../config/option.ts'
import { SCHEDULER } from '../../config/options/availability.ts'

export interface SchedulerSettings {
  /** `jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling`: between two changes of the parallelism. */
  cooldownMs: number
  /** `jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout`: for more slots to come before a job that runs takes those that did. */
  stabilizationMs: number
  /** `jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout`: likewise, before a job is deployed. */
  startStabilizationMs: number
  /** `jobmanager.adaptive-scheduler.rescale-trigger.max-checkpoint-failures`: then a job rescales from an older checkpoint. */
  checkpointFailuresMax: number
}

/** Throws TR-CONFIG-001. */
export function readSchedulerSettings(options: Readonly<Record<string, string>>): SchedulerSettings {
  const read = new ConfigValues(options, 'TR-CONFIG-001')
  return {
    cooldownMs: read.get(SCHEDULER.cooldown),
    stabilizationMs: read.get(SCHEDULER.runningStabilization),
    startStabilizationMs: read.get(SCHEDULER.stabilization),
    checkpointFailuresMax: read.get(SCHEDULER.checkpointFailures),
  }
}
