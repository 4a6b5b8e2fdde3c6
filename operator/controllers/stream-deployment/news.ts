/** What people are told by events when the status becomes another: a spec that is not valid, a trouble that somebody has to mend, a job in another state. Once for each change. */
import type { StreamDeploymentStatus } from '../../api/status.ts'
import type { EventWish } from './decision.ts'
import type { ConditionReason } from './reasons.ts'

/**
 * @example
 * newsOf(deployment.status, status) // [{ type: 'Warning', reason: 'ValidationError', message: 'spec.job.args: must be a list' }]
 */
export function newsOf(before: StreamDeploymentStatus | undefined, after: StreamDeploymentStatus): EventWish[] {
  const news: EventWish[] = []
  const changed = (type: string, status: 'True' | 'False') => {
    const [was, is] = [before, after].map((one) => one?.conditions?.find((condition) => condition.type === type))
    const isSame = was?.status === status && was.reason === is?.reason && was.message === is.message
    return is?.status === status && !isSame ? is : undefined
  }
  const invalid = changed('ConfigValid', 'False')
  if (invalid !== undefined) news.push({ type: 'Warning', reason: 'ValidationError', message: invalid.message })
  const stalled = changed('Stalled', 'True')
  if (stalled !== undefined)
    news.push({ type: 'Warning', reason: stalled.reason as ConditionReason, message: stalled.message })
  const [was, is] = [before?.jobStatus?.state, after.jobStatus?.state]
  if (is !== undefined && was !== undefined && is !== was)
    news.push({ type: 'Normal', reason: 'JobStatusChanged', message: `from ${was} to ${is}` })
  return news
}
