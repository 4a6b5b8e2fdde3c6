/** When a deployment has to be looked at again though nothing is heard: some of what its conditions say comes true by time alone. */
import type { StreamDeploymentStatus } from '../../api/status.ts'
import { lateness } from './conditions.ts'
import type { Decision } from './decision.ts'
import type { Facts } from './facts.ts'

/** While something starts: a pod that finds no node says so once. */
const STARTING_MS = 5_000

/** Milliseconds from now; Infinity: nothing is waited for. */
export function lookAgainMs(
  facts: Facts,
  decision: Decision,
  { conditions = [] }: StreamDeploymentStatus,
  nowMs: number,
): number {
  const is = (type: string) => conditions.some((one) => one.type === type && one.status === 'True')
  const { againMs = Infinity } = decision
  if (is('Progressing') && !is('Stalled')) return Math.min(againMs, STARTING_MS)
  const late = lateness(facts, decision, nowMs)
  return late === undefined || late.agoMs > late.lateMs ? againMs : Math.min(againMs, late.lateMs - late.agoMs + 1)
}
