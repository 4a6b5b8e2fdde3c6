/**
 * Whether TaskManagers keep copies of a job's state on their own disks, and begin from them: `execution.checkpointing.local-backup.enabled` and `execution.state-recovery.from-local`.
 *
 * Where checkpoints are in a directory a copy is as far away as the original, and costs every checkpoint a second write; where they are in S3 a restart reads from the disk what it would have to
 * fetch. So that is what decides when nobody says otherwise.
 */
import { ConfigValues } from '../config/option.ts'
import { CHECKPOINTING, RECOVERY } from '../config/options/checkpointing.ts'
import { isS3Url } from './s3-settings.ts'

export interface LocalRecovery {
  /** Copies are made. */
  keeps: boolean
  /** They are read, and subtasks go to where theirs are. */
  reads: boolean
}

/**
 * @param directory where checkpoints are; undefined: in the memory of the JobManager, of which there is no copy
 *
 * Throws TR-CHECKPOINT-006 for a value that cannot be read.
 *
 * @example
 * localRecovery({}, 's3://bucket/checkpoints') // { keeps: true, reads: true }
 */
export function localRecovery(options: Readonly<Record<string, string>>, directory: string | undefined): LocalRecovery {
  const read = new ConfigValues(options, 'TR-CHECKPOINT-006')
  const wanted = read.get(CHECKPOINTING.localBackup)
  const reads = read.get(RECOVERY.fromLocal)
  if (directory === undefined) return { keeps: false, reads: false }
  return { keeps: wanted ?? isS3Url(directory), reads }
}
