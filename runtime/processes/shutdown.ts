/**
 * The end of a process: what does not close in `cluster.services.shutdown-timeout` is left, so that no store, socket or thread holds a process that was told to end.
 */
import { ConfigValues } from '../config/option.ts'
import { CLUSTER } from '../config/options/processes.ts'
import type { Schedule } from '../core/clock.ts'

export interface ShutdownOptions {
  configuration: Readonly<Record<string, string>>
  schedule: Schedule
  log(text: string): void
}

/**
 * Resolves when `closing` has, or when its time is over; that, and that it rejected, goes to the log.
 *
 * @param what completes "Leaves …": `the jobs`
 *
 * @example
 * const close = shutdown({ configuration, schedule, log })
 * await close('REST', servers.close())
 */
export function shutdown({ configuration, schedule, log }: ShutdownOptions) {
  const { key } = CLUSTER.shutdownTimeout
  const ms = new ConfigValues(configuration, 'TR-CONFIG-001').get(CLUSTER.shutdownTimeout)
  return async (what: string, closing: Promise<unknown> | undefined): Promise<void> => {
    if (closing === undefined) return
    let stopTimer = () => {}
    const late = new Promise<void>((resolve) => {
      stopTimer = schedule(ms, () => {
        log(`Leaves ${what} behind: ${ms / 1000} s were not enough to end it (${key})`)
        resolve()
      })
    })
    const closed = closing.catch((error: Error) => log(`Cannot end ${what} in peace: ${error.message}`))
    await Promise.race([closed, late])
    stopTimer()
  }
}
