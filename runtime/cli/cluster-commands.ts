/**
 * Commands to a running cluster: `list`, `cancel`, `savepoint`, `stop` and `checkpoint`. Each waits for what it asked for and says where it is: as a line, or with `json` as
 * one JSON object. Gives the exit code.
 */
import { isAbsolute, resolve } from 'node:path'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { JobLine } from '../rest/jobs-schemas.ts'
import { awaitOperation, beginOperation, progressOf, type Sleep } from './await-operation.ts'
import { type AddressFlags, awaitLeaderMs, clusterUrl } from './cluster-address.ts'
import { type ClusterClient, clusterClient } from './cluster-client.ts'
import { EXIT } from './exit-codes.ts'
import { findJob, hasEnded, jobsOf, linesOf } from './find-job.ts'
import { reportError } from './report-error.ts'
import type { Terminal } from './terminal.ts'

export interface ClusterFlags extends AddressFlags {
  json: boolean
}

export interface Surroundings {
  terminal: Terminal
  sleep: Sleep
}

export interface ListFlags extends ClusterFlags {
  all: boolean
}

export async function list(flags: ListFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    const jobs = (await jobsOf(client)).filter((job) => flags.all || !hasEnded(job))
    const facts = jobs.map(({ jid, name, state, duration, 'start-time': startTime, 'end-time': endTime }) => ({
      jobId: jid,
      jobName: name,
      status: state,
      startTime,
      endTime,
      duration,
    }))
    const none = flags.all ? 'There are no jobs.' : 'No job runs; --all lists those that have ended.'
    say({ jobs: facts }, jobs.length === 0 ? none : linesOf(jobs))
  })
}

export async function cancel(job: string, flags: ClusterFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    const { jid, name } = await findJob(client, job)
    await client.patch(`/jobs/${jid}?mode=cancel`)
    const status = await endOf(client, jid, surroundings.sleep)
    if (status !== 'CANCELED')
      throw new TailraceError('TR-CLI-003', `Cannot cancel the job "${name}" (${jid}): it was ${status} before that`)
    say({ jobId: jid, jobName: name, status }, `${mark(surroundings)} cancelled "${name}"`)
  })
}

export interface SavepointFlags extends ClusterFlags {
  type?: string
}

/** `directory`: without one it goes where the job's configuration says. */
export async function savepoint(
  job: string,
  directory: string | undefined,
  flags: SavepointFlags,
  surroundings: Surroundings,
): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    const formatType = formatOf(flags.type)
    const { jid, name } = await findJob(client, job)
    const { location } = await awaitOperation(
      client,
      {
        begin: `/jobs/${jid}/savepoints`,
        body: { ...targetOf('target-directory', directory, surroundings), formatType },
        progress: `/jobs/${jid}/savepoints`,
        what: `take a savepoint of "${name}"`,
      },
      surroundings.sleep,
    )
    say({ jobId: jid, jobName: name, location }, `${mark(surroundings)} savepoint of "${name}": ${location}`)
  })
}

/** Deletes a savepoint. */
export async function dispose(path: string, flags: ClusterFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    const absolute = placeOf(path, surroundings)
    const operation = {
      begin: '/savepoint-disposal',
      body: { 'savepoint-path': absolute },
      progress: '/savepoint-disposal',
      what: `dispose of "${absolute}"`,
    }
    await awaitOperation(client, operation, surroundings.sleep)
    say({ disposed: absolute }, `${mark(surroundings)} disposed of ${absolute}`)
  })
}

export interface StopFlags extends SavepointFlags {
  savepointPath?: string
  drain: boolean
}

/** Ends a job behind a savepoint. */
export async function stop(job: string, flags: StopFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    const { drain, savepointPath } = flags
    const formatType = formatOf(flags.type)
    const { jid, name } = await findJob(client, job)
    const { location } = await awaitOperation(
      client,
      {
        begin: `/jobs/${jid}/stop`,
        body: { ...targetOf('targetDirectory', savepointPath, surroundings), drain, formatType },
        progress: `/jobs/${jid}/savepoints`,
        what: `stop "${name}" with a savepoint`,
      },
      surroundings.sleep,
    )
    const how = drain ? 'drained and stopped' : 'stopped'
    say({ jobId: jid, jobName: name, location }, `${mark(surroundings)} ${how} "${name}" with a savepoint: ${location}`)
  })
}

export interface CheckpointFlags extends ClusterFlags {
  full?: boolean
  incremental?: boolean
}

export async function checkpoint(job: string, flags: CheckpointFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    if (flags.full === true && flags.incremental === true)
      throw new TailraceError('TR-CLI-001', 'Cannot use both --full and --incremental: wanted one of them, or none')
    const checkpointType = flags.full === true ? 'FULL' : flags.incremental === true ? 'INCREMENTAL' : 'CONFIGURED'
    const { jid, name } = await findJob(client, job)
    const { checkpointId, location } = await awaitOperation(
      client,
      {
        begin: `/jobs/${jid}/checkpoints`,
        body: { checkpointType },
        progress: `/jobs/${jid}/checkpoints`,
        what: `take a checkpoint of "${name}"`,
      },
      surroundings.sleep,
    )
    const at = location === undefined ? '' : `: ${location}`
    say(
      { jobId: jid, jobName: name, checkpointId, location },
      `${mark(surroundings)} checkpoint ${checkpointId} of "${name}"${at}`,
    )
  })
}

export interface RescaleFlags extends ClusterFlags {
  parallelism?: string
  wait?: boolean
}

/** Gives a job another parallelism; `wait`: until it runs so. */
export async function rescale(job: string, flags: RescaleFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    const { parallelism: text = '' } = flags
    if (!/^[1-9]\d{0,5}$/.test(text))
      throw new TailraceError(
        'TR-CLI-001',
        `Cannot rescale to ${text === '' ? 'nothing' : `"${text}"`}: wanted -p with a whole number of 1 or more`,
      )
    const parallelism = Number(text)
    const { jid, name } = await findJob(client, job)
    const operation = {
      begin: `/jobs/${jid}/rescaling`,
      query: { parallelism: text },
      progress: `/jobs/${jid}/rescaling`,
      what: `rescale "${name}"`,
    }
    if (flags.wait) await awaitOperation(client, operation, surroundings.sleep)
    else await beginOperation(client, operation).then((id) => progressOf(client, operation, id))
    const line = flags.wait
      ? `"${name}" runs with parallelism ${parallelism}`
      : `"${name}" is to have parallelism ${parallelism}`
    say({ jobId: jid, jobName: name, parallelism, running: flags.wait === true }, `${mark(surroundings)} ${line}`)
  })
}

/** `DELETE /cluster`. */
export async function shutdown(flags: ClusterFlags, surroundings: Surroundings): Promise<number> {
  return command(flags, surroundings, async (client, say) => {
    await client.delete('/cluster')
    say({ stopping: client.url }, `${mark(surroundings)} the cluster at ${client.url} ends`)
  })
}

/** `run` tells what came of it in both ways. Errors are shown, and become exit codes. */
async function command(
  flags: ClusterFlags,
  { terminal }: Surroundings,
  run: (client: ClusterClient, say: (facts: object, line: string) => void) => Promise<void>,
): Promise<number> {
  try {
    await run(clusterClient(clusterUrl(flags), { awaitLeaderMs: awaitLeaderMs(flags.config) }), (facts, line) =>
      terminal.out(`${flags.json ? JSON.stringify(facts, null, 2) : line}\n`),
    )
    return EXIT.finished
  } catch (error) {
    const data = errorToData(error)
    terminal.error(reportError(data, terminal.report))
    return data.code === 'TR-CLI-001' || data.code === 'TR-CONFIG-001' ? EXIT.usage : EXIT.failed
  }
}

const mark = ({ terminal }: Surroundings): string => terminal.outStyle.green('✔')

/** A cluster that ends with its job does not say any more how it ended: it was asked to cancel it. */
async function endOf(client: ClusterClient, jobId: string, sleep: Sleep): Promise<string> {
  for (let waitMs = 20; ; waitMs = Math.min(1000, waitMs * 2)) {
    const { status } = await client.get<{ status: JobLine['state'] }>(`/jobs/${jobId}/status`).catch(() => ({
      status: 'CANCELED' as const,
    }))
    if (hasEnded({ state: status })) return status
    await sleep(waitMs)
  }
}

function formatOf(type: string | undefined): 'CANONICAL' | 'NATIVE' {
  const text = (type ?? 'canonical').toUpperCase()
  if (text === 'CANONICAL' || text === 'NATIVE') return text
  throw new TailraceError('TR-CLI-001', `Cannot use ${type} for --type: wanted canonical or native`)
}

function targetOf(property: string, directory: string | undefined, surroundings: Surroundings): Record<string, string> {
  return directory === undefined ? {} : { [property]: placeOf(directory, surroundings) }
}

/** A relative path begins where the user is, not where the cluster is. */
function placeOf(path: string, { terminal }: Surroundings): string {
  return isAbsolute(path) || /^[a-z][a-z0-9+.-]+:/i.test(path) ? path : resolve(terminal.cwd, path)
}
