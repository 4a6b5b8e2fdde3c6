/**
 * `tailrace run JOB --jobmanager host:port`: builds the job, uploads it to a session cluster, runs it there and follows its first job to its end; detached, it is left alone once it has begun.
 *
 * Whoever stops following (Ctrl-C) does not stop the job.
 */
import { openAsBlob } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildArtifact } from '../artifacts/build.ts'
import { errorToData, isTailraceError, TailraceError } from '../core/errors.ts'
import type { Exceptions } from '../rest/jobs-schemas.ts'
import type { Sleep } from './await-operation.ts'
import { awaitLeaderMs, clusterUrl } from './cluster-address.ts'
import { type ClusterClient, clusterClient, errorOfText } from './cluster-client.ts'
import { EXIT } from './exit-codes.ts'
import { hasEnded } from './find-job.ts'
import { isArtifact, jobProgram, openJob, withoutSeparator } from './job-program.ts'
import { reportError } from './report-error.ts'
import type { Terminal } from './terminal.ts'

export interface RemoteRunFlags {
  /** Of REST. */
  jobmanager: string
  detached?: boolean
  parallelism?: string
  config: Record<string, string>
}

export interface RemoteSurroundings {
  terminal: Terminal
  sleep: Sleep
  /** Resolves when the user has enough of following. */
  interrupted: Promise<unknown>
}

const FIRST_MS = 20
const LONGEST_MS = 500
/** Times in a row that nobody may answer while the job is followed. */
const LOST_MAX = 20

/** Gives the exit code: that of the job, as for an embedded cluster. */
export async function remoteRun(
  job: string,
  args: string[],
  flags: RemoteRunFlags,
  { terminal, sleep, interrupted }: RemoteSurroundings,
): Promise<number> {
  try {
    const { config, detached = false, jobmanager, parallelism } = flags
    const client = clusterClient(clusterUrl({ address: jobmanager, config }), { awaitLeaderMs: awaitLeaderMs(config) })
    const id = await submit(client, job, args, { config, parallelism, terminal })
    if (detached) {
      terminal.out(`${id}\n`)
      return EXIT.finished
    }
    const { name } = await client.get<{ name: string }>(`/jobs/${id}`)
    const { bold, cyan, dim, green } = terminal.report.style
    terminal.error(
      `${green('▶')} ${bold(name)}  ${cyan(`${client.url}/#/jobs/${id}`)}${dim('  Ctrl-C leaves it alone')}\n`,
    )
    const end = await Promise.race([follow(client, id, sleep), interrupted.then(() => undefined)])
    if (end === undefined) {
      terminal.error(`${dim('■')} "${name}" (${id}) runs on; tailrace cancel ${id} ends it\n`)
      return EXIT.cancelled
    }
    if (end === 'FAILED') throw await failureOf(client, id, name)
    terminal.error(end === 'FINISHED' ? `${green('✔')} ${bold(name)} finished\n` : `${dim('■')} cancelled\n`)
    return end === 'FINISHED' ? EXIT.finished : EXIT.cancelled
  } catch (error) {
    const data = errorToData(error)
    terminal.error(reportError(data, terminal.report))
    return data.code === 'TR-CLI-001' || data.code === 'TR-CONFIG-001' ? EXIT.usage : EXIT.failed
  }
}

interface Submitted {
  config: Record<string, string>
  parallelism: string | undefined
  terminal: Terminal
}

async function submit(client: ClusterClient, job: string, args: string[], how: Submitted): Promise<string> {
  const { config, parallelism, terminal } = how
  const dir = await mkdtemp(join(tmpdir(), 'tailrace-run-'))
  let release: (() => Promise<void>) | undefined
  try {
    let path: string
    let name: string
    if (isArtifact(job)) {
      const { artifact } = await openJob(job, args, config, terminal)
      release = artifact!.release
      path = artifact!.path
      name = artifact!.name
    } else {
      const { url } = jobProgram(job, args, config, terminal.cwd)
      path = (await buildArtifact({ job: fileURLToPath(url), outDir: dir })).path
      name = basename(path)
    }
    const { filename } = await client.upload<{ filename: string }>('/jars/upload', await openAsBlob(path), name)
    const upload = basename(filename)
    try {
      const { jobid } = await client.post<{ jobid: string }>(`/jars/${upload}/run`, {
        programArgsList: withoutSeparator(args),
        flinkConfiguration: config,
        ...(parallelism === undefined ? {} : { parallelism: parallelismOf(parallelism) }),
      })
      return jobid
    } finally {
      // A job that runs it keeps its own copy.
      await client.delete(`/jars/${upload}`).catch(() => {})
    }
  } finally {
    await release?.()
    await rm(dir, { recursive: true, force: true })
  }
}

function parallelismOf(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new TailraceError('TR-CLI-001', `Cannot use ${text} for --parallelism: wanted a whole number of 1 or more`)
}

/** A JobManager that answers late, or is away for a moment, is asked again. */
async function follow(client: ClusterClient, id: string, sleep: Sleep): Promise<string> {
  let lost = 0
  for (let waitMs = FIRST_MS; ; waitMs = Math.min(LONGEST_MS, waitMs * 2)) {
    try {
      const { status } = await client.get<{ status: string }>(`/jobs/${id}/status`)
      lost = 0
      if (hasEnded({ state: status as 'FAILED' })) return status
    } catch (error) {
      if (!isTailraceError(error) || error.code !== 'TR-CLI-002' || ++lost >= LOST_MAX) throw error
    }
    await sleep(waitMs)
  }
}

async function failureOf(client: ClusterClient, id: string, name: string): Promise<TailraceError> {
  const { exceptionHistory } = await client.get<Exceptions>(`/jobs/${id}/exceptions?maxExceptions=1`)
  const last = exceptionHistory.entries[0]
  if (last === undefined) return new TailraceError('TR-CLI-003', `The job "${name}" (${id}) has failed`)
  const operator = last.operator === null ? '' : ` (operator "${last.operator}")`
  return errorOfText(last.code, `The job "${name}" (${id}) has failed: ${last.message}${operator}`)
}
