/** The Deployment of JobManagers, and the Service where its REST is. */
import type { DeploymentSpec, PodTemplate } from '../api/deployment-spec.ts'
import { SQL_FILE } from './configuration.ts'
import { ANNOTATIONS, childNames, type Identity, labelsOf, PATHS, PORTS, selectorOf } from './names.ts'
import type { KubeObject } from './objects.ts'
import { podTemplate } from './pod.ts'

/** Recreate: a JobManager of the next generation does not begin while one of the last may still lead. */
export function jobManagerDeployment(
  { name, namespace }: Identity,
  { jobManager }: DeploymentSpec,
  template: PodTemplate,
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: childNames(name).jobManager, namespace, labels: labelsOf(name, 'jobmanager') },
    spec: {
      replicas: jobManager.replicas,
      revisionHistoryLimit: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: selectorOf(name, 'jobmanager') },
      template,
    },
  }
}

/** @param generation of the deployment; not that of the resource */
export function jobManagerTemplate(
  identity: Identity,
  spec: DeploymentSpec,
  slots: number,
  generation: number,
): PodTemplate {
  return podTemplate({
    identity,
    spec,
    component: 'jobmanager',
    slots,
    args: jobManagerArguments(spec, generation),
    annotations: { [ANNOTATIONS.generation]: String(generation) },
    container: {
      ports: [
        { name: 'rest', containerPort: PORTS.rest },
        { name: 'rpc', containerPort: PORTS.rpc },
        { name: 'metrics', containerPort: PORTS.metrics },
      ],
      // One that stands by answers 503: the service leads to the leader alone.
      readinessProbe: { httpGet: { path: '/config', port: 'rest' }, periodSeconds: 1, failureThreshold: 2 },
      livenessProbe: { tcpSocket: { port: 'rpc' }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
      startupProbe: { tcpSocket: { port: 'rpc' }, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120 },
    },
  })
}

/** What is the job's own stands behind `--`, whatever it looks like. */
function jobManagerArguments({ job }: DeploymentSpec, generation: number): string[] {
  const values = [
    'jobmanager.rpc.address=$(POD_IP)',
    'jobmanager.resource-id=$(POD_NAME)',
    `tailrace.deployment.generation=${generation}`,
  ]
  const own = ['jobmanager', ...values.flatMap((value) => ['-D', value])]
  if (job === undefined) return own
  const artifact = job.artifact ?? `${PATHS.configuration}/${SQL_FILE}`
  return [...own, artifact, ...(job.args.length > 0 ? ['--', ...job.args] : [])]
}

export function restService({ name, namespace }: Identity): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: childNames(name).rest, namespace, labels: labelsOf(name, 'jobmanager') },
    spec: {
      type: 'ClusterIP',
      selector: selectorOf(name, 'jobmanager'),
      ports: [{ name: 'rest', port: PORTS.rest, protocol: 'TCP', targetPort: 'rest' }],
    },
  }
}
