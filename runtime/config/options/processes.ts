/** Slots, TaskManagers and JobManagers: addresses, memory, registration, heartbeats. */
import { option } from '../option.ts'
import { boolean, duration, integer, memorySize, oneOf, ports, text } from '../types.ts'

export const SLOTS = {
  perTaskManager: option({
    key: 'taskmanager.numberOfTaskSlots',
    type: integer({ atLeast: 1, atMost: 999_999 }),
    unset: 'the parallelism; else 2, or 1 on one core',
    text: 'Slots of a TaskManager, each a thread (`--slots`).',
  }),
  deployTimeout: option({
    key: 'slot.deploy.timeout',
    type: duration(),
    standard: '1 min',
    text: 'Building the tasks of a job in a slot takes no longer, or it fails.',
  }),
  heap: option({
    key: 'taskmanager.memory.task.heap.size',
    type: memorySize({ atLeast: '16m' }),
    unset: 'a share of 70 % of the memory',
    text: 'Limit of the heap of each slot.',
  }),
  requestTimeout: option({
    key: 'slot.request.timeout',
    type: duration(),
    standard: '5 min',
    text: 'A job that has too few slots for so long fails, and says how many it needs and there are.',
  }),
  idleTimeout: option({
    key: 'slot.idle.timeout',
    type: duration(),
    standard: '50 s',
    text: 'A job that waits for more slots gives those that it has to others after so long; at once where an older job can begin with them.',
  }),
  balance: option({
    key: 'taskmanager.load-balance.mode',
    type: oneOf(['NONE', 'SLOTS', 'MIN_RESOURCES', 'TASKS']),
    standard: 'NONE',
    text: 'How tasks spread: as `jobmanager.adaptive-scheduler.prefer-minimal-taskmanagers` says, even by slots, on as few TaskManagers as can be, or even by slots and by tasks.',
  }),
  evenlySpread: option({
    key: 'cluster.evenly-spread-out-slots',
    type: boolean,
    standard: 'false',
    text: 'true: as `taskmanager.load-balance.mode: SLOTS`, unless that is set.',
  }),
}

export const TASK_MANAGER = {
  id: option({
    key: 'taskmanager.resource-id',
    type: text(),
    unset: 'made at its start',
    text: 'Of the TaskManager; the same after a restart makes it the same one.',
  }),
  bindHost: option({
    key: 'taskmanager.bind-host',
    type: text(),
    standard: '0.0.0.0',
    text: 'The address that is listened on.',
  }),
  memory: option({
    key: 'taskmanager.memory.process.size',
    fallback: ['taskmanager.memory.flink.size'],
    type: memorySize({ atLeast: '128m' }),
    unset: 'what the machine or the container has',
    text: 'All memory of a TaskManager: heaps of its slots, which share 70 % of it, and tables, buffers and the rest. The slot that holds the most is ended (TR-TASK-002) before more is used.',
  }),
  registrationTimeout: option({
    key: 'taskmanager.registration.timeout',
    older: ['taskmanager.maxRegistrationDuration'],
    type: duration(),
    standard: '5 min',
    text: 'A TaskManager that is registered with no leader for so long after its start ends.',
  }),
  leaderlessTimeout: option({
    key: 'tailrace.leaderless.timeout',
    type: duration(),
    standard: '5 min',
    text: 'A TaskManager that has lost its leader keeps its tasks for so long, to be taken over by the next one; then it ends.',
  }),
  workingDirectory: option({
    key: 'process.taskmanager.working-dir',
    fallback: ['process.working-dir'],
    type: text(),
    unset: 'as `process.working-dir`',
    text: 'Where a TaskManager keeps local copies of state, and artifacts unless `user.artifacts.base-dir` says where.',
  }),
}

export const JOB_MANAGER = {
  address: option({
    key: 'jobmanager.rpc.address',
    type: text(),
    standard: 'localhost',
    text: 'Where TaskManagers find the JobManager, without high availability.',
  }),
  port: option({
    key: 'jobmanager.rpc.port',
    type: integer({ atLeast: 0, atMost: 65_535 }),
    standard: '6123',
    text: 'Of its RPC.',
  }),
  bindPort: option({
    key: 'jobmanager.rpc.bind-port',
    fallback: ['jobmanager.rpc.port'],
    type: ports,
    unset: 'as `jobmanager.rpc.port`',
    text: 'The port that is listened on, where others are told `jobmanager.rpc.port`; of several the first one that is free, each told as the one in its place there.',
  }),
  bindHost: option({
    key: 'jobmanager.bind-host',
    type: text(),
    standard: '0.0.0.0',
    text: 'The address that is listened on.',
  }),
  id: option({ key: 'jobmanager.resource-id', type: text(), unset: 'made at its start', text: 'Of the JobManager.' }),
  memory: option({
    key: 'jobmanager.memory.process.size',
    fallback: ['jobmanager.memory.flink.size'],
    type: memorySize({ atLeast: '128m' }),
    unset: 'not bounded',
    text: 'All memory of a JobManager, of which a program may have half for its heap. The program that holds the most is ended before more is used.',
  }),
  workingDirectory: option({
    key: 'process.jobmanager.working-dir',
    fallback: ['process.working-dir'],
    type: text(),
    unset: 'as `process.working-dir`',
    text: 'Where a JobManager keeps artifacts, unless `user.artifacts.base-dir` says where.',
  }),
}

const REGISTRATION = 'cluster.registration.'

export const CLUSTER = {
  logFormat: option({
    key: 'tailrace.log.format',
    type: oneOf(['text', 'json']),
    standard: 'text',
    text: 'How JobManagers and TaskManagers write their log: lines on standard error, or JSON objects on standard output, one for each line, what jobs print too.',
  }),
  workingDirectory: option({
    key: 'process.working-dir',
    fallback: ['io.tmp.dirs'],
    type: text(),
    unset: 'as `io.tmp.dirs`',
    text: 'Where processes keep files that may go when they end: artifacts, local copies of state.',
  }),
  temporaryDirectories: option({
    key: 'io.tmp.dirs',
    older: ['taskmanager.tmp.dirs'],
    type: text(),
    unset: 'that of the system',
    text: 'Where temporary files lie, also those of user code that asks the system for a place; of several, separated by commas, the first.',
  }),
  heartbeatInterval: option({
    key: 'heartbeat.interval',
    type: duration({ atLeastMs: 10 }),
    standard: '1 s',
    text: 'Between two heartbeats of a connection.',
  }),
  heartbeatTimeout: option({
    key: 'heartbeat.timeout',
    type: duration({ atLeastMs: 10 }),
    standard: '5 s',
    text: 'Who is not heard of for so long is lost. A connection that closes says it at once. A slot that is busy, on a machine that takes connections, has six times as long.',
  }),
  rpcFrame: option({
    key: 'pekko.framesize',
    older: ['akka.framesize'],
    type: memorySize({ atLeast: '64kb' }),
    standard: '64mb',
    text: 'The longest message between processes.',
  }),
  rpcAnswer: option({
    key: 'pekko.ask.timeout',
    older: ['akka.ask.timeout'],
    type: duration({ atLeastMs: 1 }),
    standard: '10 s',
    text: 'How long an answer of another process is waited for, where nothing else is said.',
  }),
  rpcConnect: option({
    key: 'pekko.tcp.timeout',
    older: ['akka.tcp.timeout'],
    type: duration({ atLeastMs: 1 }),
    standard: '20 s',
    text: 'For opening a connection between processes, and as long again for both to say who they are.',
  }),
  registrationFirst: option({
    key: `${REGISTRATION}initial-timeout`,
    type: duration({ atLeastMs: 1 }),
    standard: '100 ms',
    text: 'Before a TaskManager tries again to register, the first time; each next time it is twice as long.',
  }),
  registrationLongest: option({
    key: `${REGISTRATION}max-timeout`,
    type: duration({ atLeastMs: 1 }),
    standard: '30 s',
    text: 'The longest of these pauses, unless `cluster.registration.error-delay` is shorter.',
  }),
  registrationErrorDelay: option({
    key: `${REGISTRATION}error-delay`,
    type: duration(),
    standard: '1 s',
    text: 'The longest pause while the JobManager cannot be reached.',
  }),
  registrationRefusedDelay: option({
    key: `${REGISTRATION}refused-registration-delay`,
    type: duration(),
    standard: '10 s',
    text: 'The pause after a leader has refused a TaskManager.',
  }),
  shutdownTimeout: option({
    key: 'cluster.services.shutdown-timeout',
    type: duration(),
    standard: '30 s',
    text: 'A JobManager that ends leaves what does not end within it: jobs, REST, the election.',
  }),
  shutdownWithApplication: option({
    key: 'execution.shutdown-on-application-finish',
    type: boolean,
    standard: 'true',
    text: 'A cluster of one application ends with it; false: it stays, and shows what became of its jobs, until somebody ends it. A program that ends without a job ends its JobManager.',
  }),
}
