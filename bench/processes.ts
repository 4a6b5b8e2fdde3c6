/** What the system says of other processes (Linux), and waiting for them. */
import { readFileSync } from 'node:fs'

/** CPU time of these processes so far, user and system, milliseconds; one that has ended counts nothing. */
export function cpuMs(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    try {
      // Behind the name, which may hold anything, the 12th and 13th field.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      ticks += Number(fields[11]) + Number(fields[12])
    } catch {}
  }
  return ticks * 10
}

/** Resident memory of a process, megabytes: now, and the most there was. */
export function residentMb(pid: number): { now: number; peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024
  return { now: field('VmRSS'), peak: field('VmHWM') }
}

/** Rejects when it is not so within `waitMs`. `what`: `the job runs`. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, waitMs = 120_000): Promise<void> {
  for (const endMs = Date.now() + waitMs; !(await holds()); await sleep(5))
    if (Date.now() > endMs) throw new Error(`Cannot measure: waited ${waitMs / 1000} s until ${what}`)
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
