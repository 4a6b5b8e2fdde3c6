/**
 * The lease beside the registry of a cluster, in `high-availability.storageDir`: a lock file on a shared disk, or objects in S3.
 */
import { join } from 'node:path'
import { directoryOf, type ObjectStoreSettings } from '../checkpoint/open-object-store.ts'
import { isS3Url, s3Settings } from '../checkpoint/s3-settings.ts'
import { openS3Store } from '../checkpoint/s3-store.ts'
import { LEASE_TIMING } from './election.ts'
import type { LeaseStore } from './lease-store.ts'
import { openLockFile, openObjectLease } from './object-lease.ts'

const FOLDER = 'leader'
/** A request to S3 costs money, a list as much as a put. */
const S3_POLL_MS = 1_000
/** An election tries again by itself, and would rather know soon. */
const S3_RULES = { attemptsMax: 1, firstWaitMs: 0, waitMaxMs: 0 }

/**
 * Opens the lease of a cluster, in its folder below a path, a `file:` URL or an `s3:` URL.
 *
 * Throws TR-CHECKPOINT-006 when the place is none of these, 005 when it cannot be used.
 *
 * @example
 * const store = await openLease('file:///shared/ha', 'cluster-1', settings)
 */
export async function openLease(place: string, folder: string, settings: ObjectStoreSettings): Promise<LeaseStore> {
  const { configuration, environment, random, schedule, warn } = settings
  if (!isS3Url(place)) return openLockFile(join(directoryOf(place), folder, FOLDER), { warn })
  const options = { random, schedule, rules: S3_RULES, requestTimeoutMs: LEASE_TIMING.retryMs }
  const store = await openS3Store(s3Settings(place, configuration, environment, warn), options)
  return openObjectLease({
    store,
    prefix: folder === '' ? `${FOLDER}/` : `${folder}/${FOLDER}/`,
    pollMs: S3_POLL_MS,
    warn,
  })
}
