/**
 * A highly available cluster of one application without the operator, as manifests that somebody could have written by hand: JobManagers that elect a leader by a Lease, and TaskManagers that find it by that.
 */
import type { World } from './world.ts'

export interface BareCluster {
  name: string
  image: string
  jobManagers: number
  taskManagers: number
  /** Of the job. */
  args: string[]
  configuration: Record<string, string>
  /** `KAFKA_BOOTSTRAP_SERVERS` of all pods. */
  bootstrapServers: string
}

const USER = 9999
const CONFIGURATION = '/opt/tailrace/conf'

export function bareManifest(cluster: BareCluster): object[] {
  const { name, image, jobManagers, taskManagers, args, configuration, bootstrapServers } = cluster
  const settings = {
    'high-availability.type': 'kubernetes',
    'high-availability.cluster-id': name,
    'tailrace.deployment.id': name,
    'taskmanager.numberOfTaskSlots': '1',
    'parallelism.default': String(taskManagers),
    'rest.bind-address': '0.0.0.0',
    'jobmanager.bind-host': '0.0.0.0',
    'taskmanager.bind-host': '0.0.0.0',
    ...configuration,
  }
  const meta = (suffix: string) => ({ name: `${name}${suffix}` })
  const labels = (component: string) => ({ app: name, component })
  const lease = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] }
  const pod = (component: string, own: object) => ({
    metadata: { labels: labels(component) },
    spec: {
      serviceAccountName: name,
      terminationGracePeriodSeconds: 15,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER,
        fsGroup: USER,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'tailrace',
          image,
          env: [
            { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'KAFKA_BOOTSTRAP_SERVERS', value: bootstrapServers },
            { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          ],
          resources: { requests: { cpu: '50m', memory: '256Mi' }, limits: { memory: '640Mi' } },
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [
            { name: 'configuration', mountPath: CONFIGURATION, readOnly: true },
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'work', mountPath: '/var/tailrace' },
          ],
          ...own,
        },
      ],
      volumes: [
        { name: 'configuration', configMap: { name } },
        { name: 'tmp', emptyDir: {} },
        { name: 'work', emptyDir: {} },
      ],
    },
  })
  const identity = (key: string) => ['-D', `${key}=$(POD_NAME)`]
  const jobManager = ['jobmanager', 'local:///opt/tailrace/usrlib/job.mjs', ...identity('jobmanager.resource-id')]
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta('') },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: meta(''),
      rules: [{ ...lease, resourceNames: [`${name}-jobmanager`], verbs: ['get', 'watch', 'update', 'patch'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: meta(''),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name }],
    },
    // Made beforehand, so that the first leader takes it at once: one that is not there may have been deleted under a leader.
    { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: meta('-jobmanager') },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: meta(''),
      data: { 'config.yaml': JSON.stringify(settings, null, 2) },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('-rest'),
      spec: { selector: labels('jobmanager'), ports: [{ name: 'rest', port: 8081 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: meta('-jobmanager'),
      spec: {
        replicas: jobManagers,
        selector: { matchLabels: labels('jobmanager') },
        template: pod('jobmanager', {
          args: [...jobManager, '-D', 'jobmanager.rpc.address=$(POD_IP)', '--', ...args],
          // One that stands by answers 503, so the service leads to the leader.
          readinessProbe: { httpGet: { path: '/config', port: 8081 }, periodSeconds: 1 },
        }),
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: meta('-taskmanager'),
      spec: {
        replicas: taskManagers,
        serviceName: `${name}-taskmanager`,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: labels('taskmanager') },
        template: pod('taskmanager', {
          args: ['taskmanager', ...identity('taskmanager.resource-id'), '-D', 'taskmanager.host=$(POD_IP)'],
        }),
      },
    },
  ]
}

/** REST of a cluster, by its service. */
export async function rest<T>(world: World, name: string, path: string): Promise<T> {
  const response = await fetch(`http://${name}-rest.${world.kubectl.namespace}.svc.cluster.local:8081${path}`, {
    signal: AbortSignal.timeout(5_000),
  })
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}
