/**
 * One life of the process under chaos: `tailrace run` as a user starts it, until it ends or is killed.
 */
import type { ChildProcess } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { startTailrace } from '../../scripts/lab/tailrace-process.ts'
import type { CheckpointPlace } from './checkpoint-place.ts'
import { type Blow, describeBlow, type Moment, type OutsideBlow } from './schedule.ts'
import type { KillSlot, SlotReport } from './slot-killer.ts'

/** A process that takes longer hangs: it should take a few seconds. */
const LIFE_MS_MAX = 90_000

export interface LifeOptions {
  /** Of `tailrace run`, behind the job's file. */
  args: readonly string[]
  blows: readonly Blow[]
  place: CheckpointPlace
  /** What it prints goes there. */
  logFile: string
  /** Hits what is outside of the process. */
  onOutside?(what: OutsideBlow): void
  /** Gets the process, for blows of its own. */
  onSpawn?(child: ChildProcess): void
}

export interface LifeEnd {
  /** null: it was killed. */
  code: number | null
  hung: boolean
  /** Blows that have hit, as they happened. */
  hits: string[]
  slotsKilled: number
  /** Threads that were started in the place of others. */
  slotsReplaced: number
}

export function live({ args, blows, place, logFile, onOutside, onSpawn }: LifeOptions): Promise<LifeEnd> {
  const startedMs = performance.now()
  const child = startTailrace(['run', join(import.meta.dirname, 'job.ts'), ...args], {
    spy: new URL('./slot-killer.ts', import.meta.url).href,
  })
  onSpawn?.(child)
  const end: LifeEnd = { code: null, hung: false, hits: [], slotsKilled: 0, slotsReplaced: 0 }
  const timers: NodeJS.Timeout[] = []
  const note = (text: string) => {
    const ms = Math.round(performance.now() - startedMs)
    end.hits.push(`${text} (${ms} ms)`)
    appendFileSync(logFile, `--- ${text} after ${ms} ms\n`)
  }
  const strike = (blow: Blow) => {
    if (blow.what === 'process') {
      note(describeBlow(blow))
      child.kill('SIGKILL')
    } else if (blow.what !== 'slot') {
      note(describeBlow(blow))
      onOutside?.(blow.what)
    } else if (child.connected) child.send({ killSlot: blow.slot } satisfies KillSlot, () => {})
  }
  const reach = (since: Moment['since'], nth?: number) => {
    for (const blow of blows) {
      if (blow.at.since !== since || (blow.at.since === 'checkpoint' && blow.at.nth !== nth)) continue
      timers.push(setTimeout(() => strike(blow), blow.at.ms))
    }
  }

  let checkpoints = 0
  place.listen(() => reach('checkpoint', ++checkpoints))
  const started = new Set<string>()
  child.on('message', (report: SlotReport) => {
    if ('started' in report) {
      if (started.has(report.started)) end.slotsReplaced++
      started.add(report.started)
    } else if (report.killed !== null) {
      end.slotsKilled++
      note(`${report.killed} ended`)
    }
  })
  let announced = false
  const print = (chunk: Buffer) => {
    appendFileSync(logFile, chunk)
    // The line of the job that begins.
    if (!announced && chunk.includes('▶')) {
      announced = true
      reach('job')
    }
  }
  child.stdout!.on('data', print)
  child.stderr!.on('data', print)
  reach('spawn')
  timers.push(
    setTimeout(() => {
      end.hung = true
      child.kill('SIGKILL')
    }, LIFE_MS_MAX),
  )
  return new Promise((resolve) => {
    child.once('close', (code) => {
      for (const timer of timers) clearTimeout(timer)
      place.listen(() => {})
      resolve({ ...end, code })
    })
  })
}
