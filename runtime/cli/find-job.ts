/** Finds the job that a command line means: by its id, the first digits of it, or its name. */
import { TailraceError } from '../core/errors.ts'
import type { JobLine } from '../rest/jobs-schemas.ts'
import type { ClusterClient } from './cluster-client.ts'
import { columns } from './columns.ts'

const ENDED: readonly string[] = ['FINISHED', 'CANCELED', 'FAILED']
/** Fewer first digits of an id mean too much. */
const DIGITS_MIN = 4

export const hasEnded = ({ state }: Pick<JobLine, 'state'>): boolean => ENDED.includes(state)

export async function jobsOf(client: ClusterClient): Promise<JobLine[]> {
  return (await client.get<{ jobs: JobLine[] }>('/jobs/overview')).jobs
}

/** Throws TR-CLI-001 when it is none, or several. */
export async function findJob(client: ClusterClient, text: string): Promise<JobLine> {
  const jobs = await jobsOf(client)
  const found = matching(jobs, text)
  if (found.length === 1) return found[0]!
  if (found.length > 1)
    throw new TailraceError(
      'TR-CLI-001',
      `Cannot tell which job "${text}" is: there are ${found.length}, wanted: the id of one\n${linesOf(found)}`,
    )
  const running = jobs.filter((job) => !hasEnded(job))
  const choice = running.length === 0 ? ', and none runs' : `; running are:\n${linesOf(running)}`
  throw new TailraceError(
    'TR-CLI-001',
    `Cannot find the job "${text}": ${client.url} has none of this id or name${choice}`,
  )
}

/** Running ones come before ended ones: a name is used again by the next run. */
function matching(jobs: readonly JobLine[], text: string): JobLine[] {
  const exact = jobs.filter(({ jid }) => jid === text.toLowerCase())
  if (exact.length > 0) return exact
  const isStart = text.length >= DIGITS_MIN && /^[0-9a-f]+$/i.test(text)
  const found = jobs.filter(({ jid, name }) => name === text || (isStart && jid.startsWith(text.toLowerCase())))
  const running = found.filter((job) => !hasEnded(job))
  return running.length > 0 ? running : found
}

/** One line a job. */
export function linesOf(jobs: readonly JobLine[]): string {
  return columns(jobs.map(({ jid, name, state, duration }) => [jid, state, time(duration), name])).join('\n')
}

function time(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ]
  if (days > 0) return `${days} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}
