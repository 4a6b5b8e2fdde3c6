/**
 * What a job wants: bounds for the parallelism of each vertex. By Flink's adaptive scheduler and its REST path resource-requirements.
 */
import { ConfigValues } from '../../config/option.ts'
import { SCHEDULER } from '../../config/options/availability.ts'
import { TailraceError } from '../../core/errors.ts'
import type { Plan } from '../../graph/model.ts'
import type { Requirements } from '../../rpc/views.ts'

/**
 * `jobmanager.scheduler`: Adaptive runs a job with less than it wants when there is no more; Default with all or not at all. Both change the parallelism when they are asked to. With
 * `scheduler-mode: REACTIVE` a job wants all that it can have.
 */
export function initialRequirements(plan: Plan): Requirements {
  const read = new ConfigValues(plan.config.options, 'TR-CONFIG-001')
  const kind = read.get(SCHEDULER.kind)
  const reactive = read.get(SCHEDULER.mode) === 'REACTIVE'
  return Object.fromEntries(
    plan.vertices.map((vertex) => {
      const { id, parallelism, maxParallelism, nonParallel = false } = vertex
      // One that the program gave a parallelism of its own keeps it.
      const follows = reactive && !nonParallel && parallelism === plan.config.parallelism
      const lowerBound = reactive || kind === 'Adaptive' ? 1 : parallelism
      return [id, { lowerBound, upperBound: follows ? maxParallelism : parallelism }]
    }),
  )
}

/**
 * What a job wants whose deployment is told its parallelism: exactly that, or up to it with `jobmanager.scheduler: Adaptive`. Vertices that the program gave a parallelism of their own keep it, and none
 * has more than its max parallelism.
 *
 * @example
 * directedRequirements(plan, 3) // { [source]: { lowerBound: 3, upperBound: 3 }, [sink]: { lowerBound: 1, upperBound: 1 } }
 */
export function directedRequirements(plan: Plan, parallelism: number): Requirements {
  const adaptive = new ConfigValues(plan.config.options, 'TR-CONFIG-001').get(SCHEDULER.kind) === 'Adaptive'
  return Object.fromEntries(
    plan.vertices.map((vertex) => {
      const { id, maxParallelism, nonParallel = false } = vertex
      const own = nonParallel || vertex.parallelism !== plan.config.parallelism
      const upperBound = own ? vertex.parallelism : Math.min(parallelism, maxParallelism)
      return [id, { lowerBound: adaptive ? 1 : upperBound, upperBound }]
    }),
  )
}

/** Throws TR-CLUSTER-004 with the names of what cannot be. All vertices of the job are wanted. */
export function checkRequirements(plan: Plan, wanted: Requirements): void {
  const problems: string[] = []
  for (const { id, name, maxParallelism, nonParallel } of plan.vertices) {
    const bounds = wanted[id]
    if (bounds === undefined) problems.push(`vertex ${id} ("${name}") is missing`)
    else {
      const { lowerBound, upperBound } = bounds
      const whole = [lowerBound, upperBound].every((bound) => Number.isInteger(bound) && bound >= 1)
      if (nonParallel === true && (lowerBound !== 1 || upperBound !== 1))
        problems.push(
          `"${name}" wants ${lowerBound} to ${upperBound}, and 1 is possible: it works on the whole stream in one place`,
        )
      else if (!whole || lowerBound > upperBound || upperBound > maxParallelism)
        problems.push(
          `"${name}" wants ${lowerBound} to ${upperBound}, and bounds from 1 to ${maxParallelism} (its max parallelism) are possible, the lower one first`,
        )
    }
  }
  const known = new Set(plan.vertices.map(({ id }) => id))
  for (const id of Object.keys(wanted)) if (!known.has(id)) problems.push(`the job has no vertex ${id}`)
  if (problems.length > 0)
    throw new TailraceError(
      'TR-CLUSTER-004',
      `Cannot change the requirements of the job "${plan.config.jobName}": ${problems.join('; ')}`,
    )
}

/** Bounds in which the job as a whole gets this parallelism: vertices that the program gave another one keep theirs, as do those that cannot have it, or no other than 1. */
export function requirementsFor(plan: Plan, parallelism: number): Requirements {
  return Object.fromEntries(
    plan.vertices.map((vertex) => {
      const { maxParallelism, nonParallel = false } = vertex
      const own = nonParallel || vertex.parallelism !== plan.config.parallelism || parallelism > maxParallelism
      const upperBound = own ? vertex.parallelism : parallelism
      return [vertex.id, { lowerBound: upperBound, upperBound }]
    }),
  )
}
