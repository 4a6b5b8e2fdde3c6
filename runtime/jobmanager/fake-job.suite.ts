/** A job of two vertices in two fake slots, with time that the test moves, for tests of the JobMaster. */
import { VirtualTime } from '../core/virtual-time.suite.ts'
import type { Plan } from '../graph/model.ts'
import type { ToProgram } from '../rpc/program-messages.ts'
import { type FakeSlot, fakePool, twoVertexPlan } from './fake-slots.suite.ts'
import { JobMaster } from './job-master.ts'
import type { JobEnd, JobOptions } from './job-options.ts'

export interface FakeJobOptions extends Partial<JobOptions> {
  /** Configuration of the job. */
  config?: Record<string, string>
  /** Slots of the cluster. */
  poolSize?: number
}

export function beginJob({ config = {}, poolSize = 2, ...more }: FakeJobOptions = {}) {
  const { pool, spawned } = fakePool(poolSize)
  const plan: Plan = twoVertexPlan(2)
  plan.config.options = config
  const time = new VirtualTime(1000)
  const toProgram: ToProgram[] = []
  const printed: string[] = []
  const ends: JobEnd[] = []
  const warnings: string[] = []
  const job = new JobMaster({
    jobId: 'j',
    plan,
    program: { url: 'file:///job.ts', args: [], parameters: {}, options: {} },
    replay: { executeIndex: 0, results: [], once: {} },
    slots: pool.acquire('j', 2)!,
    acquireSlots: (count) => pool.acquire('j', count),
    freeSlots: () => pool.free,
    clock: time.clock,
    timeouts: { deployMs: 50, cancelMs: 20, slotsMs: 1000 },
    schedule: time.schedule,
    random: () => 0.5,
    newToken: () => 'secret',
    toProgram: (message) => toProgram.push(message),
    onPrint: (_, text) => printed.push(text),
    warn: (text) => warnings.push(text),
    onEnd: (end) => ends.push(end),
    ...more,
  })
  pool.onChange(() => job.resourcesChanged())
  job.schedule()
  const [a, b] = spawned as [FakeSlot, FakeSlot]
  const [source, sink] = plan.vertices.map((v) => v.id) as [string, string]
  /** The program answers as it does, and the slots that were deployed to last run all of their tasks. */
  const run = (...slots: FakeSlot[]) => {
    const deployed = slots.length === 0 ? [a, b] : slots
    enumeratorsReset()
    for (const slot of deployed) slot.say({ type: 'deployed' })
    for (const slot of deployed) slot.all('INITIALIZING', 'RUNNING')
  }
  /** The program has closed the enumerators of the attempt before. */
  const enumeratorsReset = () => {
    const last = toProgram.findLast((message) => message.type === 'resetEnumerators')
    if (last !== undefined) job.receive({ type: 'enumeratorsReset', jobId: 'j', attempt: last.attempt })
  }
  const states = () => job.view().vertices.flatMap((v) => v.subtasks.map((s) => s.state))
  const statuses = () => toProgram.flatMap((m) => (m.type === 'jobStatus' ? [m.status] : []))
  return {
    a,
    b,
    ends,
    enumeratorsReset,
    job,
    plan,
    pool,
    printed,
    run,
    sink,
    source,
    spawned,
    states,
    statuses,
    time,
    toProgram,
    warnings,
  }
}

/** Lets promises and microtasks pass. */
export const tick = () => new Promise((resolve) => setImmediate(resolve))
