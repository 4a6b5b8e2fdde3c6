/** Exchanges between tasks: batches, buffers, and what goes beyond them. */
import { option } from '../option.ts'
import { boolean, integer, memorySize, oneOf, ports, text } from '../types.ts'

/** Records in a batch. */
const RECORDS_PER_BATCH_MAX = 256
const POOL_BUFFERS_MAX = 32_768

export const NETWORK = {
  recordsPerBatch: option({
    key: 'tailrace.exchange.records-per-batch',
    type: integer({ atLeast: 1, atMost: RECORDS_PER_BATCH_MAX }),
    standard: '256',
    text: 'A batch goes out with so many records; fewer are faster to see and dearer to send.',
  }),
  poolBuffers: option({
    key: 'tailrace.exchange.buffers-per-slot',
    type: integer({ atLeast: 1, atMost: POOL_BUFFERS_MAX }),
    standard: '128',
    text: 'Floating buffers of 32 KB in a slot, for the input of all its tasks.',
  }),
  overflowMemory: option({
    key: 'tailrace.task.overflow.memory-size',
    type: memorySize(),
    standard: '64mb',
    text: 'Output of a task that nobody takes yet waits in memory up to this size.',
  }),
  overflowDisk: option({
    key: 'tailrace.task.overflow.disk-size',
    type: memorySize(),
    standard: '16gb',
    text: 'Beyond it, on disk up to this one; then the task fails.',
  }),
  dataPort: option({
    key: 'taskmanager.data.port',
    type: ports,
    standard: '0',
    text: 'Ports of slots that other TaskManagers send to; each slot takes the first one that is free. Give some more than slots: a new thread of a slot may begin before the last one has let go.',
  }),
  dataBindPort: option({
    key: 'taskmanager.data.bind-port',
    fallback: ['taskmanager.data.port'],
    type: ports,
    unset: 'as `taskmanager.data.port`',
    text: 'The ports that are listened on, where others are told: as many, and each belongs to the one in its place there.',
  }),
  dataTls: option({
    key: 'taskmanager.data.ssl.enabled',
    type: boolean,
    standard: 'true',
    text: 'Records between TaskManagers go by TLS, too, when `security.ssl.internal.enabled` is true.',
  }),
  compression: option({
    key: 'taskmanager.network.compression.codec',
    type: oneOf(['NONE', 'LZ4']),
    standard: 'NONE',
    text: 'Of batches between TaskManagers.',
  }),
  bindPolicy: option({
    key: 'taskmanager.network.bind-policy',
    type: oneOf(['ip', 'name']),
    standard: 'ip',
    text: 'A TaskManager without `taskmanager.host` tells others the address that it reaches the JobManager from (`ip`), or the name of its machine (`name`).',
  }),
  taskManagerHost: option({
    key: 'taskmanager.host',
    type: text(),
    unset: 'by the bind policy',
    text: 'Where a TaskManager is for others.',
  }),
}
