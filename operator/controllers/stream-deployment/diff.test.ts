/** Classes of edits, field by field, and that nothing below RESTART touches a pod. */
import { describe, expect, it } from 'vitest'
import type { DeploymentSpec } from '../../api/deployment-spec.ts'
import { buildChildren, type ClusterPlan } from '../../resources/children.ts'
import { exampleSpec, FRAUD, sessionSpec } from '../../resources/example.suite.ts'
import { DIFF_CLASSES, type DiffClass, diff } from './diff.ts'

const job = (changes: Partial<NonNullable<DeploymentSpec['job']>>) => exampleSpec({ job: changes })
const withConfiguration = (key: string, value: string) =>
  exampleSpec({ configuration: { ...exampleSpec().configuration, [key]: value } })
const taskManager = (changes: Partial<DeploymentSpec['taskManager']>) =>
  exampleSpec({ taskManager: { ...exampleSpec().taskManager, ...changes } })

const EDITS: [what: string, to: DeploymentSpec, kind: DiffClass, fields: string[], from?: DeploymentSpec][] = [
  ['nothing', exampleSpec(), 'NONE', []],
  ['upgradeMode', job({ upgradeMode: 'stateless' }), 'NONE', ['job.upgradeMode']],
  ['a savepoint nonce', job({ savepointTriggerNonce: 7 }), 'NONE', ['job.savepointTriggerNonce']],
  ['state', job({ state: 'suspended' }), 'NONE', ['job.state']],
  [
    'what the operator is told',
    exampleSpec({ operatorConfiguration: { 'kubernetes.operator.x': '1' } }),
    'NONE',
    ['operatorConfiguration["kubernetes.operator.x"]'],
  ],
  ['a restartNonce that is taken away', exampleSpec(), 'NONE', ['restartNonce'], exampleSpec({ restartNonce: 1 })],
  ['logging', exampleSpec({ logConfiguration: { 'log.json': '{}' } }), 'HOT', ['logConfiguration["log.json"]']],
  [
    'an ingress',
    exampleSpec({ ingress: { template: 'x', className: undefined, annotations: {}, labels: {}, tls: [] } }),
    'HOT',
    ['ingress'],
  ],
  [
    'JobManagers that stand by',
    exampleSpec({ jobManager: { ...exampleSpec().jobManager, replicas: 2 } }),
    'HOT',
    ['jobManager.replicas'],
  ],
  ['replicas', taskManager({ replicas: 8 }), 'RESCALE', ['taskManager.replicas']],
  [
    'parallelism, and logging',
    exampleSpec({ logConfiguration: { a: 'b' }, job: { parallelism: 8 } }),
    'RESCALE',
    ['job.parallelism'],
  ],
  ['an image', exampleSpec({ image: 'fraud:2' }), 'RESTART', ['image']],
  [
    'a key of the configuration',
    withConfiguration('execution.checkpointing.interval', '1s'),
    'RESTART',
    ['configuration["execution.checkpointing.interval"]'],
  ],
  ['slots', taskManager({ slots: 2 }), 'RESTART', ['taskManager.slots']],
  ['an argument', job({ args: ['--kafka.bootstrap', 'other:9092'] }), 'RESTART', ['job.args[1]']],
  [
    'a pod template',
    taskManager({ podTemplate: { spec: { containers: [{ name: 'tailrace' }], nodeSelector: { disk: 'ssd' } } } }),
    'RESTART',
    ['taskManager.podTemplate.spec.nodeSelector'],
  ],
  ['a restartNonce', exampleSpec({ restartNonce: 1 }), 'RESTART', ['restartNonce']],
  [
    'a redeploy nonce',
    exampleSpec({ image: 'fraud:2', job: { savepointRedeployNonce: 1 } }),
    'REDEPLOY',
    ['job.savepointRedeployNonce'],
  ],
  ['a job that becomes a session', sessionSpec(), 'REDEPLOY', ['job']],
]

describe('diff()', () => {
  it.each(EDITS)('%s', (_what, to, kind, fields, from = exampleSpec()) => {
    expect(diff(from, to)).toEqual({ class: kind, fields })
  })

  const templates = (spec: DeploymentSpec) => {
    const plan: ClusterPlan = {
      spec,
      generation: 3,
      slots: 4,
      parallelism: 12,
      taskManagers: 3,
      restore: { generation: 3, from: 'latest' },
      pods: true,
    }
    return buildChildren(FRAUD, plan).flatMap((object) =>
      object['spec']?.template === undefined ? [] : [object['spec'].template],
    )
  }
  const pods = EDITS.filter(([, , kind]) => DIFF_CLASSES.indexOf(kind) < DIFF_CLASSES.indexOf('RESTART'))
  it.each(pods)('changes no pod by %s', (_what, to, _kind, _fields, from = exampleSpec()) => {
    expect(templates(to)).toEqual(templates(from))
  })
})
