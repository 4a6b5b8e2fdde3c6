/**
 * Where a run's checkpoints lie, and what the runner sees of them: each that appears, and whether the job has ended. A directory, an S3 server in the runner's process
 * behind a network that fails, or a real one that is killed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROXY_FAULTS, startFaultyProxy } from '../../runtime/checkpoint/faulty-proxy.suite.ts'
import { startToyS3, type ToyS3 } from '../../runtime/checkpoint/toy-s3.suite.ts'
import type { OwnS3Lab, S3Lab } from '../../scripts/lab/s3.ts'
import { pick, type Random } from './random.ts'

export const DEPLOYMENT = 'chaos'
/** Of the deployment and the job. */
export const FOLDER = `${DEPLOYMENT}/chaos`

export interface CheckpointPlace {
  /** Configuration of the job. */
  options: Record<string, string>
  /** Ids of checkpoints that were seen. */
  seen: Set<number>
  /** Who hears of the next ones; one at a time. */
  listen(listener: (id: number) => void): void
  /** The job has ended and given up its checkpoints: it must not be started again. */
  ended(): boolean
  /** How often the store has failed. */
  faults(): number
  close(): Promise<void>
}

export function directoryPlace(directory: string): CheckpointPlace {
  const folder = join(directory, FOLDER)
  mkdirSync(folder, { recursive: true })
  // The store removes empty folders, and this one is being watched.
  writeFileSync(join(folder, '.keep'), '')
  const place = placeOf({ 'execution.checkpointing.dir': directory })
  const watcher = watch(folder, (_, name) => {
    if (name !== null && existsSync(join(folder, name))) place.notice(name)
  })
  return {
    ...place,
    ended: () => hasEndedIn(join(folder, 'claims')),
    faults: () => 0,
    close: async () => watcher.close(),
  }
}

/** One request in 25 fails, now and then a whole burst. Requests that are never answered are left out: they cost the client's time-out each. */
const FAULTS = PROXY_FAULTS.filter((fault) => fault !== 'silent' && fault !== 'stall')

/** Behind a network that fails. */
export async function s3Place(random: Random): Promise<CheckpointPlace> {
  const server = await startToyS3()
  const proxy = await startFaultyProxy(server.endpoint)
  let burst = 0
  proxy.fault = () => {
    if (burst > 0) {
      burst--
      return 'busy'
    }
    if (random() < 0.004) burst = 6
    return random() < 0.04 ? pick(random, FAULTS) : undefined
  }
  const place = serverPlace(server, proxy.endpoint)
  return {
    ...place,
    faults: () => [...proxy.counts.values()].reduce((sum, n) => sum + n, 0),
    close: async () => {
      await proxy.close()
      await place.close()
    },
  }
}

/** How often the files of a server are looked at. */
const LOOK_MS = 15

/** Below `folder` of a real server's bucket. The server may be killed and stopped. */
export function realS3Place(lab: OwnS3Lab, name: string): CheckpointPlace {
  const place = placeOf({ ...s3Options(lab), 'execution.checkpointing.dir': `s3://${lab.bucket}/${name}/job` })
  const folder = join(lab.folder, name, 'job', FOLDER)
  const look = setInterval(() => {
    for (const one of existsSync(folder) ? readdirSync(folder) : [])
      if (existsSync(join(folder, one, '_metadata'))) place.notice(one)
  }, LOOK_MS)
  return {
    ...place,
    ended: () => hasEndedIn(join(folder, 'claims')),
    faults: () => 0,
    close: async () => clearInterval(look),
  }
}

function s3Options({ endpoint, accessKeyId, secretAccessKey }: S3Lab): Record<string, string> {
  return { 's3.endpoint': endpoint, 's3.access-key': accessKeyId, 's3.secret-key': secretAccessKey }
}

/** A server whose requests a test can hold. */
export function serverPlace(server: ToyS3, endpoint = server.endpoint): CheckpointPlace {
  const place = placeOf({
    ...s3Options({ ...server, endpoint, stop: server.close }),
    'execution.checkpointing.dir': `s3://${server.bucket}/job`,
  })
  server.hold = (request, when) => {
    const [, name] = /^PUT .*\/(chk-\d+)\/_metadata$/.exec(request) ?? []
    if (when === 'before' && name !== undefined) place.notice(name)
    return undefined
  }
  const prefix = `job/${FOLDER}/claims/`
  const text = (name: string) => Buffer.from(server.objects.get(prefix + name)!).toString()
  return {
    ...place,
    ended: () =>
      hasEnded(
        [...server.objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
        text,
      ),
    faults: () => 0,
    close: () => server.close(),
  }
}

/** What both have: who has been seen, and who hears of it. */
function placeOf(options: Record<string, string>) {
  const seen = new Set<number>()
  let listener: (id: number) => void = () => {}
  return {
    options,
    seen,
    listen(other: (id: number) => void): void {
      listener = other
    },
    notice(name: string): void {
      const id = Number(/^chk-(\d+)$/.exec(name)?.[1])
      if (Number.isNaN(id) || seen.has(id)) return
      seen.add(id)
      listener(id)
    },
  }
}

function hasEndedIn(claims: string): boolean {
  return existsSync(claims) && hasEnded(readdirSync(claims), (name) => readFileSync(join(claims, name), 'utf8'))
}

/** The newest claim is an end (runtime/checkpoint/claims.ts). */
function hasEnded(names: readonly string[], read: (name: string) => string): boolean {
  const newest = Math.max(...names.filter((name) => /^\d+$/.test(name)).map(Number))
  return Number.isFinite(newest) && JSON.parse(read(String(newest))).ends !== undefined
}
