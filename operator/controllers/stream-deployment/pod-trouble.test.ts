/** What Kubernetes says of pods, and what is told of it. */
import { describe, expect, it } from 'vitest'
import { facts, NOW } from './facts.suite.ts'
import type { ContainerFacts, Facts, PodFacts } from './facts.ts'
import { troubleOf } from './pod-trouble.ts'

const pod = (changes: Partial<PodFacts>, ...containers: Partial<ContainerFacts>[]): PodFacts => ({
  name: 'fraud-taskmanager-0',
  uid: 'u',
  component: 'taskmanager',
  phase: 'Pending',
  ready: false,
  createdMs: NOW - 60_000,
  containers: containers.map((one) => ({ name: 'tailrace', restarts: 0, ...one })),
  ...changes,
})
const waits = (reason: string, message = '') => pod({}, { waiting: { reason, message } })
const ended = (restarts: number, reason: string, exitCode: number, message = '') =>
  pod(
    {},
    { restarts, waiting: { reason: 'CrashLoopBackOff', message: 'back-off' }, ended: { reason, exitCode, message } },
  )

type Row = [what: string, facts: Partial<Facts>, reason: string | undefined, stalled?: boolean, message?: string]
const ROWS: Row[] = [
  [
    'an image that is not there',
    { pods: [waits('ImagePullBackOff', 'Back-off pulling image "x:1"')] },
    'ImagePullFailed',
    true,
    'x:1',
  ],
  [
    'a secret that is not there',
    { pods: [waits('CreateContainerConfigError', 'secret "kafka" not found')] },
    'SecretMissing',
    true,
    'kafka',
  ],
  [
    'a ConfigMap that is not there',
    { pods: [waits('CreateContainerConfigError', 'configmap "x" not found')] },
    'ConfigMapMissing',
    true,
  ],
  [
    'a volume of a secret that is not there',
    {
      pods: [
        pod({
          warnings: [
            { reason: 'FailedMount', message: 'MountVolume.SetUp failed for volume "k": secret "keys" not found' },
          ],
        }),
      ],
    },
    'SecretMissing',
    true,
    'keys',
  ],
  [
    'a program that ends at once',
    { pods: [ended(5, 'Error', 1, 'a\nb\nTR-CONFIG-001 bad')] },
    'CrashLoop',
    true,
    'TR-CONFIG-001 bad',
  ],
  ['a program that has ended once', { pods: [ended(1, 'Error', 1)] }, 'CrashLoop', false],
  ['too little memory', { pods: [ended(4, 'OOMKilled', 137)] }, 'OutOfMemory', true, 'memory'],
  [
    'no node',
    {
      pods: [pod({ scheduling: { reason: 'Unschedulable', message: '0/2 nodes are available: 2 Insufficient cpu' } })],
    },
    'Unschedulable',
    true,
    'Insufficient cpu',
  ],
  [
    'no node yet',
    { pods: [pod({ createdMs: NOW - 1_000, scheduling: { reason: 'Unschedulable', message: 'x' } })] },
    undefined,
  ],
  [
    'a quota',
    { taskManager: { replicas: 3, ready: 1, settled: true, failure: 'pods "x" is forbidden: exceeded quota: q' } },
    'QuotaExceeded',
    true,
  ],
  [
    'an admission that refuses',
    { taskManager: { replicas: 3, ready: 1, settled: true, failure: 'violates PodSecurity' } },
    'PodsRefused',
    true,
  ],
  ['an account that is not there', { missingServiceAccount: 'flink' }, 'ServiceAccountMissing', true, 'flink'],
  ['a pod that starts', { pods: [waits('ContainerCreating')] }, undefined],
  ['a pod that goes', { pods: [{ ...waits('ImagePullBackOff'), deletionMs: NOW }] }, undefined],
  ['another component', { pods: [{ ...waits('ImagePullBackOff'), component: 'jobmanager' }] }, undefined],
]

describe('troubleOf()', () => {
  it.each(ROWS)('%s', (_what, changes, reason, stalled, message = '') => {
    const trouble = troubleOf(facts(changes), 'taskmanager', NOW)
    expect([trouble?.reason, trouble?.stalled]).toEqual([reason, stalled])
    expect(trouble?.message ?? '').toContain(message)
  })
})
