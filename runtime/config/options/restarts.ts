/** Whether and when a job that failed runs again: `restart-strategy.*`. */
import { option } from '../option.ts'
import { duration, integer, number, oneOf } from '../types.ts'

const FIXED = 'restart-strategy.fixed-delay.'
const RATE = 'restart-strategy.failure-rate.'
const EXPONENTIAL = 'restart-strategy.exponential-delay.'

export const RESTARTS = {
  type: option({
    key: 'restart-strategy.type',
    older: ['restart-strategy'],
    type: oneOf(['none', 'fixed-delay', 'failure-rate', 'exponential-delay'], {
      off: 'none',
      disable: 'none',
      fixeddelay: 'fixed-delay',
      failurerate: 'failure-rate',
      exponentialdelay: 'exponential-delay',
    }),
    unset: 'exponential-delay with checkpoints, else none',
    text: 'How a job that failed is restarted: [restarts](checkpoints.md#restarts).',
  }),
  fixedAttempts: option({
    key: `${FIXED}attempts`,
    type: integer({ atLeast: 0, infinite: true }),
    standard: '1',
    text: 'Restarts over the life of the job.',
  }),
  fixedDelay: option({ key: `${FIXED}delay`, type: duration(), standard: '1 s', text: 'Before each restart.' }),
  failuresPerInterval: option({
    key: `${RATE}max-failures-per-interval`,
    type: integer({ atLeast: 1 }),
    standard: '1',
    text: 'More failures than that within the interval end the job.',
  }),
  failureInterval: option({
    key: `${RATE}failure-rate-interval`,
    type: duration({ atLeastMs: 1 }),
    standard: '1 min',
    text: 'The interval in which failures are counted.',
  }),
  failureDelay: option({ key: `${RATE}delay`, type: duration(), standard: '1 s', text: 'Before each restart.' }),
  initialBackoff: option({
    key: `${EXPONENTIAL}initial-backoff`,
    type: duration({ atLeastMs: 1 }),
    standard: '1 s',
    text: 'Before the first restart.',
  }),
  maxBackoff: option({
    key: `${EXPONENTIAL}max-backoff`,
    type: duration({ atLeastMs: 1 }),
    standard: '1 min',
    text: 'The longest delay.',
  }),
  backoffMultiplier: option({
    key: `${EXPONENTIAL}backoff-multiplier`,
    type: number({ from: 1 }),
    standard: '1.5',
    text: 'By which the delay grows from restart to restart.',
  }),
  resetThreshold: option({
    key: `${EXPONENTIAL}reset-backoff-threshold`,
    type: duration({ atLeastMs: 1 }),
    standard: '1 h',
    text: 'After so long without a failure the delay begins anew.',
  }),
  jitter: option({
    key: `${EXPONENTIAL}jitter-factor`,
    type: number({ from: 0, to: 1 }),
    standard: '0.1',
    text: 'Share of the delay by which it is longer or shorter at random.',
  }),
  attemptsBeforeReset: option({
    key: `${EXPONENTIAL}attempts-before-reset-backoff`,
    type: integer({ atLeast: 0, infinite: true }),
    standard: 'infinite',
    text: 'Restarts in a row until the job is given up.',
  }),
}
