/** Every object of a deployment, as it is sent. What is shown here in full is what a user finds with `kubectl get -o yaml`. */

import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { PodTemplate } from '../api/deployment-spec.ts'
import { NAME_LENGTH_MAX } from '../api/stream-deployment.ts'
import { buildChildren, type ClusterPlan } from './children.ts'
import { exampleSpec, FRAUD, sessionSpec } from './example.suite.ts'
import { ANNOTATIONS, childNames } from './names.ts'
import type { KubeObject } from './objects.ts'

const PLAN: ClusterPlan = {
  spec: exampleSpec(),
  generation: 7,
  slots: 4,
  parallelism: 12,
  taskManagers: 3,
  restore: { generation: 7, from: 'latest', atLeast: 41, neverEmpty: true },
  pods: true,
}

const build = (changes: Partial<ClusterPlan> = {}) => buildChildren(FRAUD, { ...PLAN, ...changes })
const one = (kind: string, objects: KubeObject[] = build(), name?: string): KubeObject =>
  objects.find((object) => object.kind === kind && (name === undefined || object.metadata.name === name))!

/** As YAML, without what every object has. */
function shown(object: KubeObject): string {
  const { metadata, ...rest } = structuredClone(object)
  const { ownerReferences: _o, labels: _l, annotations = {}, ...names } = metadata
  delete annotations[ANNOTATIONS.applied]
  return stringify(
    { metadata: { ...names, ...(Object.keys(annotations).length > 0 && { annotations }) }, ...rest },
    { aliasDuplicateObjects: false },
  )
}

describe('buildChildren()', () => {
  it('makes these objects, what others refer to first', () => {
    expect(build().map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'ServiceAccount fraud',
      'Role fraud',
      'RoleBinding fraud',
      'ConfigMap fraud-config',
      'Lease fraud-jobmanager',
      'Service fraud',
      'Service fraud-rest',
      'StatefulSet fraud-taskmanager',
      'Deployment fraud-jobmanager',
    ])
  })

  it('gives each its labels and its owner', () => {
    for (const { metadata } of build()) {
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/name': 'tailrace',
        'app.kubernetes.io/instance': 'fraud',
        'app.kubernetes.io/managed-by': 'tailrace-operator',
        'tailrace.dev/deployment': 'fraud',
      })
      expect(metadata.ownerReferences).toEqual([
        {
          apiVersion: 'tailrace.dev/v1beta1',
          kind: 'StreamDeployment',
          name: 'fraud',
          uid: FRAUD.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ])
      expect(metadata.namespace).toBe('jobs')
    }
  })

  it('hands labels of the deployment on to objects, not to pods, nor those of tools', () => {
    const labels = { team: 'risk', 'app.kubernetes.io/name': 'other', 'argocd.argoproj.io/instance': 'x' }
    const [first] = buildChildren({ ...FRAUD, labels }, PLAN)
    expect(first!.metadata.labels).toMatchObject({ team: 'risk', 'app.kubernetes.io/name': 'tailrace' })
    expect(first!.metadata.labels).not.toHaveProperty(['argocd.argoproj.io/instance'])
    const pods = buildChildren({ ...FRAUD, labels }, PLAN).find(({ kind }) => kind === 'StatefulSet')!['spec'].template
    expect(pods.metadata.labels).not.toHaveProperty('team')
  })

  it('makes the Deployment of JobManagers', () => {
    expect(shown(one('Deployment'))).toMatchSnapshot()
  })

  it('makes the StatefulSet of TaskManagers', () => {
    expect(shown(one('StatefulSet'))).toMatchSnapshot()
  })

  it('makes what pods find: configuration, Lease, services, rights', () => {
    const objects = build()
    const texts = [
      one('ConfigMap'),
      one('Lease'),
      one('Service', objects, 'fraud'),
      one('Service', objects, 'fraud-rest'),
      one('Role'),
      one('RoleBinding'),
    ]
    expect(texts.map(shown).join('---\n')).toMatchSnapshot()
  })

  it('says parallelism and the restore point in the Lease alone', () => {
    const before = build()
    const after = build({
      parallelism: 20,
      taskManagers: 5,
      restore: { generation: 7, from: 's3://bucket/savepoints/savepoint-1' },
    })
    const changed = after.filter((object, at) => JSON.stringify(object) !== JSON.stringify(before[at]))
    expect(changed.map(({ kind }) => kind)).toEqual(['Lease', 'StatefulSet'])
    expect(one('Lease', after).metadata.annotations).toMatchObject({
      [ANNOTATIONS.parallelism]: '20',
      [ANNOTATIONS.restore]: '{"generation":7,"from":"s3://bucket/savepoints/savepoint-1","neverEmpty":true}',
    })
    expect(one('StatefulSet', after)['spec'].template).toEqual(one('StatefulSet', before)['spec'].template)
  })

  it('restarts pods of both kinds when the configuration changes, and JobManagers for a new generation', () => {
    const template = (kind: string, changes: Partial<ClusterPlan>) =>
      one(kind, build(changes))['spec'].template.metadata.annotations[ANNOTATIONS.template]
    const other = exampleSpec({
      configuration: { ...PLAN.spec.configuration, 'execution.checkpointing.interval': '10000' },
    })
    for (const kind of ['Deployment', 'StatefulSet'])
      expect(template(kind, { spec: other })).not.toBe(template(kind, {}))
    expect(template('Deployment', { generation: 8 })).not.toBe(template('Deployment', {}))
    expect(template('StatefulSet', { generation: 8 })).toBe(template('StatefulSet', {}))
  })

  it('makes no pods of a suspended deployment', () => {
    expect(build({ pods: false }).map(({ kind }) => kind)).not.toContain('StatefulSet')
    expect(build({ pods: false }).map(({ kind }) => kind)).toContain('Lease')
  })

  it('binds a given service account and makes none', () => {
    const objects = build({ spec: exampleSpec({ serviceAccount: 'flink' }) })
    expect(one('ServiceAccount', objects)).toBeUndefined()
    expect(one('RoleBinding', objects)['subjects']).toEqual([
      { kind: 'ServiceAccount', name: 'flink', namespace: 'jobs' },
    ])
    expect(one('Deployment', objects)['spec'].template.spec.serviceAccountName).toBe('flink')
  })

  it('starts a session cluster without a job, and tells it no parallelism', () => {
    const objects = build({ spec: sessionSpec(), parallelism: undefined })
    expect(
      one('Deployment', objects)['spec'].template.spec.containers[0].args.filter((text: string) => !text.includes('=')),
    ).toEqual(['jobmanager', '-D', '-D', '-D'])
    expect(one('Lease', objects).metadata.annotations).not.toHaveProperty([ANNOTATIONS.parallelism])
  })

  it('leaves names within 63 characters, with what Kubernetes adds', () => {
    const names = Object.values(childNames('x'.repeat(NAME_LENGTH_MAX)))
    expect(Math.max(...names.map((name) => `${name}-0123456789`.length))).toBeLessThanOrEqual(63)
  })

  it('leads an Ingress to REST', () => {
    const ingress = {
      template: 'jobs.example.com/{{namespace}}/{{name}}(/|$)(.*)',
      className: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/rewrite-target': '/$2' },
      labels: {},
      tls: [],
    }
    expect(shown(one('Ingress', build({ spec: exampleSpec({ ingress }) })))).toMatchSnapshot()
  })
})

describe('the pod template of a user', () => {
  const withTemplate = (podTemplate: PodTemplate) => {
    const spec = exampleSpec()
    spec.taskManager.podTemplate = podTemplate
    return one('StatefulSet', build({ spec }))['spec'].template
  }

  it('is laid over ours by name, wherever its containers stand', () => {
    const { spec, metadata } = withTemplate({
      metadata: { labels: { team: 'risk', 'app.kubernetes.io/instance': 'mine' }, annotations: { note: 'x' } },
      spec: {
        containers: [
          { name: 'proxy', image: 'envoy:1' },
          {
            name: 'tailrace',
            image: 'ignored',
            env: [{ name: 'KAFKA', value: 'k:9092' }],
            volumeMounts: [{ name: 'keys', mountPath: '/keys' }],
          },
        ],
        volumes: [{ name: 'keys', secret: { secretName: 'keys' } }],
        tolerations: [{ key: 'dedicated', operator: 'Exists' }],
        securityContext: { fsGroup: 1000 },
      },
    })
    expect(spec.containers.map(({ name, image }: any) => `${name} ${image}`)).toEqual([
      'tailrace fraud:1',
      'proxy envoy:1',
    ])
    expect(spec.containers[0].env.map(({ name }: any) => name)).toEqual([
      'POD_NAME',
      'POD_NAMESPACE',
      'POD_IP',
      'TAILRACE_CONF_DIR',
      'KAFKA',
    ])
    expect(spec.containers[0].volumeMounts.map(({ mountPath }: any) => mountPath)).toEqual([
      '/opt/tailrace/conf',
      '/tmp',
      '/var/tailrace',
      '/keys',
    ])
    expect(spec.volumes.map(({ name }: any) => name)).toContain('keys')
    expect(spec.tolerations.map(({ key }: any) => key)).toEqual([
      'node.kubernetes.io/not-ready',
      'node.kubernetes.io/unreachable',
      'dedicated',
    ])
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, fsGroup: 1000 })
    expect(metadata.labels).toMatchObject({ team: 'risk', 'app.kubernetes.io/instance': 'fraud' })
    expect(metadata.annotations.note).toBe('x')
  })

  it('may mount volumes of its own where ours would be', () => {
    const { spec } = withTemplate({
      spec: {
        containers: [
          {
            name: 'tailrace',
            volumeMounts: [
              { name: 'mine', mountPath: '/opt/tailrace/conf' },
              { name: 'disk', mountPath: '/var/tailrace' },
            ],
          },
        ],
      },
    })
    const mounts = spec.containers[0].volumeMounts.map(({ name, mountPath }: any) => `${name} ${mountPath}`)
    expect(mounts).toEqual([
      'tailrace-configuration /opt/tailrace/operator-conf',
      'tailrace-tmp /tmp',
      'mine /opt/tailrace/conf',
      'disk /var/tailrace',
    ])
    expect(spec.containers[0].env.find(({ name }: any) => name === 'TAILRACE_CONF_DIR').value).toBe(
      '/opt/tailrace/operator-conf',
    )
  })
})
