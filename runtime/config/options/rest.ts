/** REST, the page, and what they show. */
import { option } from '../option.ts'
import { REDACTED_KEYS } from '../secrets.ts'
import { boolean, duration, integer, list, memorySize, ports, text } from '../types.ts'

export const REST = {
  address: option({
    key: 'rest.address',
    type: text(),
    standard: 'localhost',
    text: 'Where commands find a cluster: `host`, `host:port` or a URL (`--address`).',
  }),
  port: option({
    key: 'rest.port',
    older: ['web.port'],
    type: ports,
    standard: '8081',
    text: 'Of REST for commands, and for the server without `rest.bind-port`.',
  }),
  bindPort: option({
    key: 'rest.bind-port',
    older: ['web.port', 'jobmanager.web.port'],
    fallback: ['rest.port'],
    type: ports,
    standard: '8081-8099',
    text: 'Port of REST and the page (`--port`). Of a range the first free one is taken.',
  }),
  bindAddress: option({
    key: 'rest.bind-address',
    older: ['web.address', 'jobmanager.web.address'],
    type: text(),
    standard: '127.0.0.1',
    text: 'The address that REST, the page and metrics listen on; `0.0.0.0` for all.',
  }),
  operationKept: option({
    key: 'rest.async.store-duration',
    type: duration(),
    standard: '5 min',
    text: 'How long the result of a savepoint or checkpoint that was asked for is kept.',
  }),
  awaitLeader: option({
    key: 'rest.await-leader-timeout',
    type: duration(),
    standard: '30 s',
    text: 'How long a command waits for a JobManager to lead, at an address where one stands by.',
  }),
  contentLength: option({
    key: 'rest.server.max-content-length',
    type: memorySize({ atLeast: '1kb' }),
    standard: '100mb',
    text: 'The largest artifact that is taken as an upload; other requests may have 1 MB.',
  }),
  canCancel: option({
    key: 'web.cancel.enable',
    type: boolean,
    standard: 'true',
    text: 'Whether jobs can be cancelled on the page and by REST.',
  }),
  canSubmit: option({
    key: 'web.submit.enable',
    older: ['jobmanager.web.submit.enable'],
    type: boolean,
    standard: 'true',
    text: 'Whether artifacts can be uploaded and run by REST.',
  }),
  canRescale: option({
    key: 'web.rescale.enable',
    type: boolean,
    standard: 'true',
    text: 'Whether jobs can be rescaled on the page and by REST.',
  }),
  rescaleHistory: option({
    key: 'web.adaptive-scheduler.rescale-history.size',
    type: integer({ atLeast: 0 }),
    standard: '5',
    text: 'Changes of a job’s parallelism that REST shows.',
  }),
  uploadDirectory: option({
    key: 'web.upload.dir',
    older: ['jobmanager.web.upload.dir'],
    type: text(),
    unset: 'in a temporary directory, which goes with the process',
    text: 'Where uploaded artifacts are kept.',
  }),
  checkpointHistory: option({
    key: 'web.checkpoints.history',
    older: ['jobmanager.web.checkpoints.history'],
    type: integer({ atLeast: 0 }),
    standard: '10',
    text: 'Checkpoints that REST and the page show.',
  }),
  exceptionHistory: option({
    key: 'web.exception-history-size',
    type: integer({ atLeast: 1 }),
    standard: '16',
    text: 'Ends of attempts that REST and the page show.',
  }),
  endedJobs: option({
    key: 'completed-application-store.max-capacity',
    older: ['jobstore.max-capacity'],
    type: integer({ atLeast: 1, infinite: true }),
    standard: '50',
    text: 'Jobs that have ended and are still shown.',
  }),
  redactedKeys: option({
    key: REDACTED_KEYS,
    type: list(text()),
    text: 'Values whose keys hold one of these parts are masked, beside passwords, secrets, tokens and the like.',
  }),
}

export const METRICS = {
  port: option({
    key: 'metrics.reporter.prom.port',
    older: ['metrics.reporter.prometheus.port'],
    type: ports,
    standard: '9249-9269',
    text: 'Port of metrics for Prometheus (`--metrics-port`). Of a range the first free one is taken.',
  }),
}
