/** How patient the scheduler is, by Flink's keys of the adaptive scheduler in both spellings. */
import { OptionReader } from '../../core/option-reader.ts'

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

const ADAPTIVE = 'jobmanager.adaptive-scheduler'

/** Throws TR-CONFIG-001. */
export function readSchedulerSettings(options: Readonly<Record<string, string>>): SchedulerSettings {
  const read = new OptionReader(options, 'TR-CONFIG-001')
  const ms = (fallback: number, ...keys: string[]) =>
    read.duration(fallback, { atLeastMs: 0 }, ...keys.map((key) => `${ADAPTIVE}.${key}`))
  return {
    cooldownMs: ms(1000, 'executing.cooldown-after-rescaling', 'scaling-interval.min'),
    stabilizationMs: ms(10_000, 'executing.resource-stabilization-timeout', 'scaling-interval.max'),
    startStabilizationMs: ms(5000, 'submission.resource-stabilization-timeout', 'resource-stabilization-timeout'),
    checkpointFailuresMax: read.integer(2, { atLeast: 1 }, `${ADAPTIVE}.rescale-trigger.max-checkpoint-failures`),
  }
}
