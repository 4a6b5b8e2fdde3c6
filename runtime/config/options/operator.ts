/** What `tailrace operator` does, by the keys of Flink's operator where it has them. */
import { option } from '../option.ts'
import { boolean, duration, integer, ports, text } from '../types.ts'

const ELECTION = 'kubernetes.operator.leader-election.'

export const OPERATOR = {
  namespaces: option({
    key: 'kubernetes.operator.watched.namespaces',
    type: text(),
    unset: 'all',
    text: 'Namespaces whose StreamDeployments are looked after, with commas between them (`--watch-namespaces`); `JOSDK_ALL_NAMESPACES` is all of them.',
  }),
  labelSelector: option({
    key: 'kubernetes.operator.label.selector',
    type: text(),
    unset: 'all',
    text: 'Labels of the StreamDeployments that are looked after, as `kubectl -l` takes them.',
  }),
  parallelism: option({
    key: 'kubernetes.operator.reconcile.parallelism',
    older: ['kubernetes.operator.reconciler.max.parallelism'],
    type: integer({ atLeast: 1, atMost: 1000 }),
    standard: '20',
    text: 'How many resources are worked on at once.',
  }),
  resync: option({
    key: 'kubernetes.operator.reconcile.interval',
    older: ['kubernetes.operator.reconciler.reschedule.interval'],
    type: duration({ atLeastMs: 1000 }),
    standard: '5 min',
    text: 'Each resource is looked at again after so long, though nothing is told of it.',
  }),
  elects: option({
    key: `${ELECTION}enabled`,
    type: boolean,
    standard: 'true',
    text: 'Whether one of several operators is elected by a Lease. Without, only one may run.',
  }),
  lease: option({
    key: `${ELECTION}lease-name`,
    type: text(),
    standard: 'tailrace-operator',
    text: 'Name of that Lease, in the namespace of the operator.',
  }),
  leaseDuration: option({
    key: `${ELECTION}lease-duration`,
    type: duration({ atLeastMs: 1000 }),
    standard: '15 s',
    text: 'An operator that has not renewed its Lease for so long may be replaced.',
  }),
  renewDeadline: option({
    key: `${ELECTION}renew-deadline`,
    type: duration({ atLeastMs: 100 }),
    standard: '10 s',
    text: 'An operator that cannot renew its Lease for so long ends itself.',
  }),
  retryPeriod: option({
    key: `${ELECTION}retry-period`,
    type: duration({ atLeastMs: 10 }),
    standard: '2 s',
    text: 'Between two attempts to take or renew the Lease.',
  }),
  healthPort: option({
    key: 'kubernetes.operator.health.probe.port',
    type: ports,
    standard: '8085',
    text: 'Port of `/livez`, `/healthz` and `/readyz` (`--health-port`).',
  }),
  drainTimeout: option({
    key: 'kubernetes.operator.termination.timeout',
    type: duration(),
    standard: '10 s',
    text: 'An operator that is told to end gives what it has begun so long to come to its end, before it releases its Lease.',
  }),
}
