/** An example of each message with all that it may hold, for tests. */
import { errorToData } from '../../core/errors.ts'
import type { FromSlot } from '../slot-messages.ts'
import type { AnswerTo, CallMessage, OneWayMessage } from '../wire/catalog.ts'
import type { ToJobManager, ToTaskManager } from './catalog.ts'
import type { DeploymentData } from './to-slot/deploy.ts'
import type { ToSlotData } from './to-slot.ts'

const HEX = 'abcdef0123456789'
const ID = HEX.repeat(2)
const HASH = HEX.repeat(4)
const of = { vertexId: ID, subtask: 3 }
const thread = { slot: 1, thread: 17 }
const error = errorToData(new Error('outer', { cause: new Error('inner') }))
const split = { id: 'topic-3', offset: 12n, at: new Date(5), seen: new Map([['a', new Set([1])]]), none: undefined }
const row = {
  kind: 'row' as const,
  declared: true,
  fields: [
    ['a', { kind: 'nullable', of: { kind: 'date' } }],
    ['b', { kind: 'tuple', elements: [{ kind: 'any' }] }],
  ] as [string, any][],
}
const handle = { file: 'shared/1-2', offset: 0, length: 10, crc32: 0xffff_ffff }
const keyed = {
  tables: [{ name: 'count', kind: 'value' as const, row, settings: { ttl: { ms: 5 } } }],
  chunks: [{ handle, firstGroup: 0, lastGroup: 127, rows: 5 }],
  totals: [{ rows: 5, bytes: 10 }],
}
const small = { bytes: new Uint8Array([1, 2, 3]) }

const deployment: DeploymentData = {
  jobId: ID,
  attempt: 2,
  slotIndex: 0,
  program: {
    url: 'file:///job.ts',
    args: ['--x'],
    parameters: { a: '' },
    options: { 'b.c': 'd' },
    main: 'fraudJob',
    artifact: { sha256: 'a'.repeat(64), name: 'job.tgz', entry: 'main.mjs' },
  },
  replay: { executeIndex: 1, results: [undefined, { n: 1 }], once: { now: 5, big: 2n ** 70n } },
  plan: {
    config: {
      jobName: 'job',
      parallelism: 2,
      maxParallelism: undefined,
      bufferTimeoutMs: -1,
      autoWatermarkIntervalMs: 200,
      chaining: true,
      autoGenerateUids: true,
      parameters: {},
      options: {},
    },
    vertices: [
      {
        id: ID,
        name: 'Source -> Map',
        parallelism: 2,
        maxParallelism: 128,
        maxParallelismSet: false,
        slotSharingGroup: 'default',
        isSource: true,
        operators: [
          {
            operatorId: ID,
            name: 'Source',
            uid: null,
            description: null,
            module: 'source',
            parent: -1,
            tag: null,
            isSource: true,
            isSink: false,
            settings: { reader: 'fn:ab' },
          },
        ],
      },
    ],
    edges: [
      {
        id: 0,
        from: ID,
        fromOperator: 0,
        tag: 'late',
        to: ID,
        inputIndex: 1,
        partitioner: 'key',
        settings: {},
        bufferTimeoutMs: 5,
        type: row,
      },
    ],
    hash: HASH,
  },
  subtasks: [of],
  places: { [ID]: [0, 1] },
  slots: [{ taskManager: 'tm-1' }, { taskManager: 'tm-2', data: { host: '10.0.0.7', port: 6121 } }],
  token: 'secret',
  edgeTypes: { 0: row, 12: { kind: 'string' } },
  checkpointing: { exactlyOnce: true, times: { intervalMs: 1000, timeoutMs: 600_000 } },
  restore: {
    checkpointId: 7,
    state: {
      [ID]: {
        3: {
          operators: [
            {
              operatorId: ID,
              keyed: [keyed],
              lists: [{ name: 'splits', mode: 'split', parts: [{ handle: small, offsets: [0, 4], from: 0, to: 2 }] }],
              finished: false,
            },
          ],
        },
      },
    },
    finished: [of],
    committed: true,
  },
  storage: { directory: 's3://b/c', folder: 'f', epoch: 3 },
}

export const TO_SLOT: { [T in ToSlotData['type']]: Extract<ToSlotData, { type: T }> } = {
  deploy: { type: 'deploy', deployment },
  start: { type: 'start' },
  cancel: { type: 'cancel' },
  splits: { type: 'splits', ...of, splits: [split] },
  noMoreSplits: { type: 'noMoreSplits', ...of },
  sourceEvent: { type: 'sourceEvent', ...of, event: split },
  edgeType: { type: 'edgeType', edgeId: 3, edgeType: row },
  collectAck: { type: 'collectAck', collectId: 'c', subtask: 0, count: 5 },
  triggerCheckpoint: {
    type: 'triggerCheckpoint',
    ...of,
    barrier: { checkpointId: 7, timestampMs: 1e12, kind: 'savepoint', then: 'suspend' },
  },
  drain: { type: 'drain', ...of },
  checkpointComplete: { type: 'checkpointComplete', checkpointId: 7 },
  checkpointAborted: { type: 'checkpointAborted', checkpointId: 7 },
  retire: { type: 'retire' },
  prepare: { type: 'prepare', jobId: 'j', program: deployment.program, replay: deployment.replay },
}

export const FROM_SLOT: { [T in FromSlot['type']]: Extract<FromSlot, { type: T }> } = {
  ready: { type: 'ready', dataPort: 4000, loaded: 'a program' },
  deployed: { type: 'deployed' },
  deployFailed: { type: 'deployFailed', error: { ...error, operator: 'Map' } },
  taskState: {
    type: 'taskState',
    ...of,
    state: 'FAILED',
    error,
    accumulators: { a: 1.5, b: Number.NaN, c: Number.POSITIVE_INFINITY },
  },
  dataEnded: { type: 'dataEnded', ...of },
  checkpointAck: {
    type: 'checkpointAck',
    ...of,
    checkpointId: 7,
    snapshot: {
      operators: [{ operatorId: ID, keyed, lists: [{ name: 'l', mode: 'broadcast', handle: small, offsets: [0, 2] }] }],
      finished: false,
    },
    stats: { startDelayMs: 0.5, alignmentMs: 0, syncMs: 1, asyncMs: 2, bytesWritten: 3, bytes: 4 },
  },
  checkpointDeclined: { type: 'checkpointDeclined', ...of, checkpointId: 7, error },
  splitRequest: { type: 'splitRequest', ...of },
  sourceEvent: { type: 'sourceEvent', ...of, event: null },
  proposeType: { type: 'proposeType', edgeId: 0, edgeType: { kind: 'int32' } },
  metricNames: {
    type: 'metricNames',
    names: [
      {
        index: 4,
        scope: 'operator',
        kind: 'gauge',
        name: 'n',
        labels: { a: 'b' },
        vertexId: ID,
        subtask: 0,
        operatorId: ID,
      },
    ],
  },
  collected: { type: 'collected', collectId: 'c', subtask: 0, values: [1, undefined, { a: -Infinity }, new Date(7)] },
  print: { type: 'print', stream: 'stdout', text: 'hello\n' },
}

type Any<C extends ToJobManager | ToTaskManager> = OneWayMessage<C> | CallMessage<C>

export const TO_JOB_MANAGER: { [T in keyof ToJobManager]: Extract<Any<ToJobManager>, { type: T }> } = {
  registerTaskManager: {
    type: 'registerTaskManager',
    taskManagerId: 'tm-1',
    host: '10.0.0.7',
    slots: 2,
    memory: { processBytes: 2 ** 31, slotHeapBytes: 2 ** 29, slotNetworkBytes: 2 ** 26 },
    cpus: 1.5,
    version: '0.1.0',
    nodeVersion: 'v24',
    startedMs: 1e12,
    copies: [{ jobId: ID, epoch: 3, writer: 2 }],
    inventory: [
      {
        ...thread,
        jobId: ID,
        attempt: 0,
        slotIndex: 0,
        epoch: 3,
        planHash: HASH,
        subtasks: [{ ...of, state: 'RUNNING', splits: [split], lastBarrier: 7, pendingCommits: [6, 7] }],
      },
    ],
  },
  fromSlot: { type: 'fromSlot', ...thread, message: FROM_SLOT.print },
  slotEnded: {
    type: 'slotEnded',
    ...thread,
    exit: { code: 1, error: { name: 'Error', message: 'm', stack: 's', code: 'ERR_WORKER_OUT_OF_MEMORY' } },
  },
  metrics: {
    type: 'metrics',
    timeMs: 1e12,
    pages: [{ ...thread, values: new Uint8Array(16) }],
    process: { 'Status.JVM.Memory.Heap.Used': 5, load: Number.NaN },
  },
  fetchArtifact: { type: 'fetchArtifact', hash: HASH, offset: 0, length: 1000 },
}

export const TO_TASK_MANAGER: { [T in keyof ToTaskManager]: Extract<Any<ToTaskManager>, { type: T }> } = {
  startSlot: { type: 'startSlot', ...thread },
  toSlot: { type: 'toSlot', ...thread, message: TO_SLOT.deploy },
  endSlot: { type: 'endSlot', ...thread },
  threadDump: { type: 'threadDump' },
  listLogs: { type: 'listLogs' },
  readLog: { type: 'readLog', name: 'tm.log', offset: -1000, length: 1000 },
  jobEnded: { type: 'jobEnded', jobId: ID },
  shutdown: { type: 'shutdown', reason: 'over' },
}

type Answers<C extends ToJobManager | ToTaskManager> = {
  [M in CallMessage<C> as M extends { type: infer T extends string } ? T : never]: AnswerTo<C, M>
}

export const ANSWERS: Answers<ToJobManager> & Answers<ToTaskManager> = {
  registerTaskManager: { outcome: 'refused', code: 'TR-RPC-003', message: 'm', retryMs: 30_000 },
  fetchArtifact: { bytes: new Uint8Array(5), size: 5, name: 'job.tgz' },
  threadDump: { threads: [{ name: 'main', text: 'at x' }] },
  listLogs: { logs: [{ name: 'tm.log', size: 5, modifiedMs: 1e12 }] },
  readLog: { bytes: new Uint8Array(5), offset: 0, size: 5 },
}
