/**
 * All messages between a JobManager and its TaskManagers.
 *
 * To add one: a file with its definition here (a message of a slot: in to-slot/ or from-slot/, and in the union of to-slot.ts or from-slot.ts), a line in the catalog of its direction, an
 * example in examples.suite.ts, and a handler where tsc then asks for one.
 */
import { catalog } from '../wire/catalog.ts'
import { endSlot } from './end-slot.ts'
import { fetchArtifact } from './fetch-artifact.ts'
import { fromSlot } from './from-slot.ts'
import { jobEnded } from './job-ended.ts'
import { listLogs } from './list-logs.ts'
import { metrics } from './metrics.ts'
import { readLog } from './read-log.ts'
import { registerTaskManager } from './register-task-manager.ts'
import { shutdown } from './shutdown.ts'
import { slotEnded } from './slot-ended.ts'
import { startSlot } from './start-slot.ts'
import { threadDump } from './thread-dump.ts'
import { toSlot } from './to-slot.ts'

/** What a JobManager takes. */
export const toJobManager = catalog(registerTaskManager, fromSlot, slotEnded, metrics, fetchArtifact)
export type ToJobManager = typeof toJobManager

/** What a TaskManager takes. */
export const toTaskManager = catalog(startSlot, toSlot, endSlot, jobEnded, threadDump, listLogs, readLog, shutdown)
export type ToTaskManager = typeof toTaskManager
