/** What a job is run with: parallelism, chaining, time, and how it commits. */
import { option } from '../option.ts'
import { boolean, duration, integer, text } from '../types.ts'

export const JOB = {
  name: option({
    key: 'pipeline.name',
    type: text(),
    standard: 'Tailrace Streaming Job',
    text: 'Of the job, where `execute()` gives none.',
  }),
  parallelism: option({
    key: 'parallelism.default',
    type: integer({ atLeast: 1, atMost: 32_768 }),
    unset: 'the slots; without them 2, or 1 on one core or in a program that runs by itself',
    text: 'Subtasks of each operator that has no parallelism of its own (`--parallelism`).',
  }),
  maxParallelism: option({
    key: 'pipeline.max-parallelism',
    type: integer({ atLeast: -1, atMost: 32_768 }),
    standard: '-1',
    text: 'Key groups of operators with state, which bound how far the job can be scaled; -1: derived from the parallelism.',
  }),
  bufferTimeout: option({
    key: 'execution.buffer-timeout.interval',
    older: ['execution.buffer-timeout'],
    type: duration({ atLeastMs: -1 }),
    standard: '5 ms',
    text: 'A batch that is not full goes out after so long; 0: each record at once, -1: only full ones.',
  }),
  bufferTimeoutEnabled: option({
    key: 'execution.buffer-timeout.enabled',
    type: boolean,
    standard: 'true',
    text: 'false: only full batches go out.',
  }),
  autoWatermarkInterval: option({
    key: 'pipeline.auto-watermark-interval',
    type: duration(),
    standard: '200 ms',
    text: 'How often periodic watermarks are made; 0: neither these nor idleness.',
  }),
  chaining: option({
    key: 'pipeline.operator-chaining.enabled',
    older: ['pipeline.operator-chaining'],
    type: boolean,
    standard: 'true',
    text: 'Operators that need no exchange between them share a task.',
  }),
  chainDifferentMaxParallelism: option({
    key: 'pipeline.operator-chaining.chain-operators-with-different-max-parallelism',
    type: boolean,
    standard: 'true',
    text: 'They do so with different numbers of key groups, too.',
  }),
  autoGenerateUids: option({
    key: 'pipeline.auto-generate-uids',
    type: boolean,
    standard: 'true',
    text: 'false: a job with an operator without a uid is refused.',
  }),
  committerRetries: option({
    key: 'sink.committer.retries',
    type: integer({ atLeast: 0 }),
    standard: '10',
    text: 'How often a sink is asked again to commit before the job fails.',
  }),
  committerRetryInterval: option({
    key: 'tailrace.sink.committer.retry-interval',
    type: duration({ atLeastMs: 1 }),
    standard: '1 s',
    text: 'Between two of these.',
  }),
  allowLostTransactions: option({
    key: 'tailrace.allow-lost-transactions',
    type: boolean,
    standard: 'false',
    text: 'What can never be committed any more is reported and left out, instead of failing the job.',
  }),
  entry: option({
    key: 'tailrace.job.entry',
    type: text(),
    unset: 'that of the artifact',
    text: 'Which part of an artifact is the job: a module of a package, a function that the module exports, or `module#function`.',
  }),
  deploymentId: option({
    key: 'tailrace.deployment.id',
    type: text({
      like: /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
      wanted: 'letters, digits, dots, dashes and underscores, 100 at most, as it names a folder,',
    }),
    unset: 'each run is one of its own',
    text: 'Names the deployment in the store: a job that starts again under it goes on from its newest checkpoint.',
  }),
  deploymentGeneration: option({
    key: 'tailrace.deployment.generation',
    type: integer({ atLeast: 0 }),
    unset: 'whatever the deployment is told',
    text: 'Which generation of its deployment a JobManager is of, for whoever deploys it anew: it begins a job only when the deployment is told what this generation begins with.',
  }),
  cancellationTimeout: option({
    key: 'task.cancellation.timeout',
    type: duration(),
    standard: '10 s',
    text: 'Tasks that do not end by then cost their slot its thread.',
  }),
}
