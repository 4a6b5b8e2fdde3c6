/** Checkpoints, savepoints and what a job begins with: `execution.checkpointing.*` and `execution.state-recovery.*`, with their names of Flink 1.x [CC-01, CC-07]. */
import { option } from '../option.ts'
import { boolean, duration, integer, memorySize, oneOf, text } from '../types.ts'

const NS = 'execution.checkpointing.'

/** The shortest interval [CC-01]. */
const INTERVAL_MIN_MS = 10

export const CHECKPOINTING = {
  interval: option({
    key: `${NS}interval`,
    type: duration({ atLeastMs: INTERVAL_MIN_MS }),
    unset: 'no checkpoints',
    text: 'From the begin of one checkpoint to the begin of the next.',
  }),
  intervalDuringBacklog: option({
    key: `${NS}interval-during-backlog`,
    type: duration(),
    unset: 'as the interval',
    text: 'The interval while a source works off a backlog; 0: none then.',
  }),
  mode: option({
    key: `${NS}mode`,
    type: oneOf(['EXACTLY_ONCE', 'AT_LEAST_ONCE']),
    standard: 'EXACTLY_ONCE',
    text: 'AT_LEAST_ONCE: no channel waits for another, and some records count twice after a failure.',
  }),
  timeout: option({
    key: `${NS}timeout`,
    type: duration({ atLeastMs: INTERVAL_MIN_MS }),
    standard: '10 min',
    text: 'A checkpoint that takes longer is given up.',
  }),
  minPause: option({
    key: `${NS}min-pause`,
    type: duration(),
    standard: '0 ms',
    text: 'From the end of one checkpoint to the begin of the next; it delays, and skips none.',
  }),
  maxConcurrent: option({
    key: `${NS}max-concurrent-checkpoints`,
    type: integer({ atLeast: 1 }),
    standard: '1',
    text: 'How many may be under way.',
  }),
  tolerableFailures: option({
    key: `${NS}tolerable-failed-checkpoints`,
    type: integer({ atLeast: 0 }),
    standard: '0',
    text: 'So many may fail in a row before the job fails and is restarted.',
  }),
  retained: option({
    key: `${NS}num-retained`,
    older: ['state.checkpoints.num-retained'],
    type: integer({ atLeast: 1 }),
    standard: '1',
    text: 'Completed checkpoints that are kept.',
  }),
  retention: option({
    key: `${NS}externalized-checkpoint-retention`,
    type: oneOf(['NO_EXTERNALIZED_CHECKPOINTS', 'DELETE_ON_CANCELLATION', 'RETAIN_ON_CANCELLATION']),
    standard: 'NO_EXTERNALIZED_CHECKPOINTS',
    text: 'What stays when the job ends: [checkpoints](checkpoints.md#what-stays-at-the-end).',
  }),
  unaligned: option({
    key: `${NS}unaligned.enabled`,
    older: [`${NS}unaligned`],
    type: boolean,
    standard: 'false',
    text: 'Held to its rules (EXACTLY_ONCE, one checkpoint at a time); barriers do not overtake records yet.',
  }),
  directory: option({
    key: `${NS}dir`,
    older: ['state.checkpoints.dir', 'state.backend.fs.checkpointdir'],
    type: text(),
    unset: 'in memory',
    text: 'Where checkpoints lie: a path, `file:///…` or `s3://…`.',
  }),
  savepointDirectory: option({
    key: `${NS}savepoint-dir`,
    older: ['state.savepoints.dir', 'savepoints.state.backend.fs.dir'],
    type: text(),
    text: 'Where savepoints go when nobody says another place.',
  }),
  localBackup: option({
    key: `${NS}local-backup.enabled`,
    older: ['state.backend.local-recovery'],
    type: boolean,
    unset: 'true with `s3://`, false with a directory',
    text: 'TaskManagers keep what their slots have stored for the newest checkpoint on their own disk: [local copies](checkpoints.md#local-copies).',
  }),
  localBackupDirectories: option({
    key: `${NS}local-backup.dirs`,
    older: ['taskmanager.state.local.root-dirs'],
    type: text(),
    unset: 'in the working directory',
    text: 'Where local copies lie; several are separated by commas, and used in turn. A TaskManager has a folder of its own in each.',
  }),
  localBackupBytes: option({
    key: 'tailrace.local-backup.max-size',
    type: memorySize(),
    unset: 'half of what is free when the TaskManager starts',
    text: 'Of all local copies of a TaskManager. What is beyond it is in the store alone.',
  }),
}

const RECOVER = 'execution.state-recovery.'

export const RECOVERY = {
  path: option({
    key: `${RECOVER}path`,
    older: ['execution.savepoint.path'],
    type: text(),
    strict: true,
    text: 'The checkpoint or savepoint that the job begins with when its own store has nothing (`--savepoint`).',
  }),
  ignoreUnclaimed: option({
    key: `${RECOVER}ignore-unclaimed-state`,
    older: ['execution.savepoint.ignore-unclaimed-state'],
    type: boolean,
    standard: 'false',
    strict: true,
    text: 'State that no operator of the job takes is left behind (`--allow-non-restored-state`).',
  }),
  claimMode: option({
    key: `${RECOVER}claim-mode`,
    older: ['execution.savepoint-restore-mode'],
    type: oneOf(['NO_CLAIM', 'CLAIM'], { LEGACY: 'NO_CLAIM' }),
    standard: 'NO_CLAIM',
    strict: true,
    text: 'CLAIM: the job owns what it began with, and deletes it when nothing needs it (`--claim-mode`).',
  }),
  fromLocal: option({
    key: `${RECOVER}from-local`,
    older: ['state.backend.local-recovery'],
    type: boolean,
    standard: 'true',
    text: 'State is read from local copies where there are some, and subtasks go to where theirs are.',
  }),
}
