/**
 * Where the checkpoints and savepoints of jobs lie: what the configuration of a job says, a directory or S3; without it checkpoints are in memory, and end with the process.
 *
 * A deployment is named by `tailrace.deployment.id`: a job that is started again under the same name goes on from its newest checkpoint. Without a name each run is a deployment
 * of its own, named by its job's id.
 */

import { resolve } from 'node:path'
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts'
import { MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import { openCheckpointStore } from '../checkpoint/open-checkpoint-store.ts'
import { openObjectStore } from '../checkpoint/open-object-store.ts'
import type { Schedule } from '../checkpoint/retry.ts'
import type { OpenStore } from '../checkpoint/savepoint.ts'
import { disposeSavepoint, savepointsOf } from '../checkpoint/savepoints.ts'
import { JOB } from '../config/options/job.ts'
import type { Clock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { OpenStorage } from './job-checkpoints.ts'

export const DEPLOYMENT_ID = JOB.deploymentId.key

export interface StorageOptions {
  clock: Clock
  schedule: Schedule
  /** From 0 to 1. */
  random(): number
  /** A text that no other run has: names the owner of a deployment. */
  newOwner(): string
  /** Where AWS's variables are. */
  environment: Readonly<Record<string, string | undefined>>
  /** What relative paths begin at. */
  cwd: string
  warn(text: string): void
  /** Rejects with TR-CHECKPOINT-002 when another leads, by what is in the store. */
  refuseIfDeposed?(what: string): Promise<void>
}

/** @example new Dispatcher({ pool, newJobId, openStorage: jobStorage({ clock, schedule, random, newOwner, environment, cwd, warn }) }) */
export function jobStorage(options: StorageOptions): OpenStorage {
  const { clock, random, newOwner, cwd, warn, refuseIfDeposed } = options
  return async ({ jobId, plan, settings }) => {
    const open = storeOpener(options, plan.config.options)
    const directory = settings.directory === undefined ? undefined : absolute(settings.directory, cwd)
    const folder = deploymentFolder(jobId, plan)
    const objects = directory === undefined ? memoryStore(new MemoryObjects(() => clock.now())) : await open(directory)
    let store: CheckpointStore
    try {
      store = await openCheckpointStore({
        store: objects,
        folder,
        owner: newOwner(),
        retained: settings.retained,
        clock,
        warn,
        openOther: open,
        ...(refuseIfDeposed === undefined ? {} : { refuseIfDeposed }),
      })
    } catch (error) {
      await objects.close()
      throw error
    }
    const close = store.close.bind(store)
    store.close = async () => {
      await close()
      await objects.close()
    }
    const state = { directory, folder, epoch: store.epoch }
    return { store, state, ...savepointsOf({ open, cwd, random, from: store }) }
  }
}

/** Disposes of savepoints outside of any job, with the configuration of the cluster. */
export function savepointDisposer(
  options: Omit<StorageOptions, 'clock' | 'newOwner'>,
  configuration: Readonly<Record<string, string>>,
): (path: string) => Promise<void> {
  return (path) => disposeSavepoint(path, { open: storeOpener(options, configuration), cwd: options.cwd })
}

function storeOpener(
  { environment, random, schedule, warn }: Pick<StorageOptions, 'environment' | 'random' | 'schedule' | 'warn'>,
  configuration: Readonly<Record<string, string>>,
): OpenStore {
  return (url) => openObjectStore(url, { configuration, environment, random, schedule, warn })
}

function absolute(place: string, cwd: string): string {
  return /^[a-z][a-z0-9+.-]+:/i.test(place) ? place : resolve(cwd, place)
}

/** A program may have several jobs: each has a folder of its own. */
function deploymentFolder(jobId: string, { config }: Plan): string {
  const id = config.options[DEPLOYMENT_ID]
  if (id === undefined) return jobId
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id))
    throw new TailraceError(
      'TR-CHECKPOINT-006',
      `Cannot use "${id}" for "${DEPLOYMENT_ID}": it names a folder, so letters, digits, dots, dashes and underscores are wanted, 100 at most`,
    )
  const job = config.jobName.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 60)
  return `${id}/${job === '' ? 'job' : job}`
}
