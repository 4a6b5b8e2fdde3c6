/**
 * What must hold of slots, in each JobManager:
 *
 * - a thread has at most one part of an attempt, and a part is in one thread;
 * - a slot is leased to a job that runs, or to none: none is lost with a job that has ended;
 * - a job has no more slots of the pool than it knows of;
 * - the pool has no slots but those of TaskManagers that are registered;
 * - a TaskManager that has died is not registered for longer than heartbeats take to tell.
 */
import type { JobMaster } from '../../jobmanager/job-master.ts'
import { isEnd } from '../../jobmanager/job-status.ts'
import type { JobManager } from '../../processes/jobmanager-process.ts'
import type { ToSlotData } from '../../rpc/messages/to-slot.ts'
import type { TaskManagerView } from '../../rpc/views.ts'
import type { Gone } from './cluster.ts'
import type { ThreadRef } from './process.ts'
import type { World } from './world.ts'

export interface SlotOwner {
  readonly name: string
  readonly dead: boolean
  readonly paused: boolean
  readonly wentOnMs: number
  readonly jobManager: JobManager | undefined
  readonly job: JobMaster | undefined
}

export class SlotInvariants {
  readonly #world: World
  readonly #foundOutMs: number
  /** By process and job: parts of the attempt that was deployed last, by thread. */
  readonly #deployed = new Map<string, { attempt: number; parts: Map<string, number> }>()

  /** @param foundOutMs a process that has died is found out within this time */
  constructor(world: World, foundOutMs: number) {
    this.#world = world
    this.#foundOutMs = foundOutMs
  }

  /** The JobManager of a process says this to a thread. */
  posted({ name }: SlotOwner, { taskManager, slot, thread }: ThreadRef, message: ToSlotData): void {
    if (message.type !== 'deploy') return
    const { jobId, attempt, slotIndex } = message.deployment
    const key = `${name}/${jobId}`
    const before = this.#deployed.get(key)
    if (before !== undefined && before.attempt > attempt)
      this.#world.fail(`${name} deploys attempt ${attempt} after attempt ${before.attempt}`)
    const now = before?.attempt === attempt ? before : { attempt, parts: new Map<string, number>() }
    this.#deployed.set(key, now)
    const to = `${taskManager}/${slot}.${thread}`
    if (now.parts.has(to))
      this.#world.fail(`${name} deploys parts ${now.parts.get(to)} and ${slotIndex} of attempt ${attempt} to ${to}`)
    if ([...now.parts.values()].includes(slotIndex))
      this.#world.fail(`${name} deploys part ${slotIndex} of attempt ${attempt} twice`)
    now.parts.set(to, slotIndex)
  }

  /** After each event. */
  check(owner: SlotOwner, gone: readonly Gone[]): void {
    const { name, dead, jobManager, job } = owner
    if (dead || jobManager === undefined || job === undefined) return
    const { slots } = jobManager.dispatcher.cluster()
    let busy = 0
    for (const slot of slots) if (slot.state === 'busy') busy++
    if (busy > 0 && isEnd(job.status)) this.#world.fail(`${name} holds ${busy} slots for a job that has ended`)
    else if (busy > job.slots.held)
      this.#world.fail(`${name} has leased ${busy} slots, and its job has ${job.slots.held}`)
    const views = jobManager.taskManagers.views()
    let registered = 0
    for (const view of views) registered += view.slots
    if (slots.length > registered)
      this.#world.fail(`${name} has ${slots.length} slots of TaskManagers that have ${registered}`)
    if (gone.length > 0 && !owner.paused) this.#checkGone(owner, views, gone)
  }

  #checkGone({ name, wentOnMs }: SlotOwner, views: TaskManagerView[], gone: readonly Gone[]): void {
    const { nowMs } = this.#world
    for (const { id, startedMs, atMs } of gone) {
      if (nowMs - Math.max(atMs, wentOnMs) < this.#foundOutMs) continue
      if (views.some((view) => view.id === id && view.startedMs === startedMs))
        this.#world.fail(`${name} counts on ${id}, which has died ${(nowMs - atMs).toFixed(0)} ms ago`)
    }
  }
}
