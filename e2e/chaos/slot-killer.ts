/**
 * Loaded into the process under chaos before anything else (`--import`): ends threads of slots when its parent says so, by `terminate()`, which stops JavaScript in the middle
 * of whatever it does. Says how many have been started, so that the parent knows what a blow has hit. The program under test has no hook for it.
 */
import { syncBuiltinESMExports } from 'node:module'
import workerThreads, { isMainThread, Worker, type WorkerOptions } from 'node:worker_threads'

/** To the process: end one of the slots that run; the number is taken modulo how many these are. */
export interface KillSlot {
  killSlot: number
}
/** From the process. */
export type SlotReport = { started: string } | { killed: string | null }

if (isMainThread && process.send !== undefined) {
  const slots = new Map<string, Worker>()
  const report = (message: SlotReport) => process.send!(message, () => {})

  class WatchedWorker extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      super(file, options)
      const { name } = options
      if (name === undefined || !/^slot-\d+$/.test(name)) return
      slots.set(name, this)
      this.once('exit', () => {
        if (slots.get(name) === this) slots.delete(name)
      })
      report({ started: name })
    }
  }
  workerThreads.Worker = WatchedWorker
  syncBuiltinESMExports()

  process.on('message', ({ killSlot }: KillSlot) => {
    const names = [...slots.keys()].sort()
    const name = names.length === 0 ? null : names[killSlot % names.length]!
    if (name !== null) {
      void slots.get(name)!.terminate()
      slots.delete(name)
    }
    report({ killed: name })
  })
  // It must not keep the process alive, nor end it when the parent has gone.
  process.channel?.unref()
  process.on('disconnect', () => {})
}
