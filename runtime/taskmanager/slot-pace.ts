/**
 * How the loop of a slot shares its thread and sleeps: an argument of the slot, so that a simulation runs the loop in its own time.
 */
import type { Doorbell } from '../network/doorbell.ts'

export interface SlotPace {
  /** Passes over the tasks after which the loop gives way at the latest: a clock that stands still must not hold the thread. */
  readonly passesMax: number
  /** Calls `run` when messages, timers and callbacks that are due have had their turn. */
  giveWay(run: () => void): void
  /** Calls `run` once, at a ring since `sequence` or after `ms`. False: it has rung already, and `run` is not called. */
  sleep(bell: Doorbell, sequence: number, ms: number, run: () => void): boolean
  /** Holds the process until the answer is called: waiting on a doorbell does not. */
  hold(): () => void
}

/** A slot in a thread with an event loop, its own or a shared one. */
export const threadPace: SlotPace = {
  passesMax: 256,
  giveWay: (run) => void setImmediate(run),
  sleep(bell, sequence, ms, run) {
    const rung = bell.wait(sequence, ms)
    if (rung === undefined) return false
    void rung.then(run)
    return true
  },
  hold() {
    const alive = setInterval(() => {}, 2 ** 30)
    return () => clearInterval(alive)
  },
}
