/** What the slots of a TaskManager do: each a thread, with the subtasks that it hosts and how they spend their time. From the read model, so no slot is stopped or asked. */
import type { RestContext } from './common.ts'
import { slotsOf } from './place.ts'

export function slotThreads(context: RestContext, taskManagerId: string): { name: string; text: string }[] {
  const { cluster, metrics } = context
  return slotsOf(context, taskManagerId).map(({ index, state, jobId }) => {
    const name = `slot-${index}`
    const job = jobId === undefined ? undefined : cluster.view(jobId)
    if (job === undefined) return { name, text: `"${name}" ${state}\n` }
    const reader = metrics.read(job)
    const lines = job.vertices.flatMap(({ id, name, parallelism, subtasks }) =>
      subtasks
        .filter(({ slot }) => slot === index)
        .map(({ index, state, attempt }) => {
          const { busy, idle, backPressured } = reader.task(id, index)?.times(metrics.nowMs()) ?? NO_TIMES
          const shares = `${percent(busy)} busy, ${percent(idle)} idle, ${percent(backPressured)} back-pressured`
          return `   at ${name} (${index + 1}/${parallelism}), attempt ${attempt}: ${state}, ${shares}`
        }),
    )
    return { name, text: [`"${name}" ${state}: job ${job.id} (${job.name}), ${job.status}`, ...lines, ''].join('\n') }
  })
}

const NO_TIMES = { busy: 0, idle: 0, backPressured: 0 }
/** Of milliseconds in a second. */
const percent = (ms: number) => `${Math.round(ms / 10)} %`
