/** The StatefulSet of TaskManagers, and the Service by which pods have names. */
import type { DeploymentSpec, PodTemplate } from '../api/deployment-spec.ts'
import { childNames, type Identity, labelsOf, PORTS, selectorOf } from './names.ts'
import type { KubeObject } from './objects.ts'
import { podTemplate } from './pod.ts'

/**
 * OnDelete: when pods are replaced is decided where jobs are known.
 *
 * @param replicas how many there are to be now; while a job moves away from some, more than the spec says
 */
export function taskManagerStatefulSet(
  { name, namespace }: Identity,
  template: PodTemplate,
  replicas: number,
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: childNames(name).taskManager, namespace, labels: labelsOf(name, 'taskmanager') },
    spec: {
      replicas,
      revisionHistoryLimit: 1,
      serviceName: childNames(name).headless,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      selector: { matchLabels: selectorOf(name, 'taskmanager') },
      template,
    },
  }
}

/** Without a probe: one that has lost its leader for long ends by itself, and one that hangs is noticed by heartbeats sooner than by a kubelet. */
export function taskManagerTemplate(identity: Identity, spec: DeploymentSpec, slots: number): PodTemplate {
  return podTemplate({
    identity,
    spec,
    component: 'taskmanager',
    slots,
    args: ['taskmanager', '-D', 'taskmanager.resource-id=$(POD_NAME)', '-D', 'taskmanager.host=$(POD_IP)'],
    container: { ports: [{ name: 'metrics', containerPort: PORTS.metrics }] },
  })
}

/** Pods find each other before they are ready. */
export function headlessService({ name, namespace }: Identity): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: childNames(name).headless, namespace, labels: labelsOf(name) },
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: { 'app.kubernetes.io/name': 'tailrace', 'app.kubernetes.io/instance': name },
      ports: [
        { name: 'rpc', port: PORTS.rpc, protocol: 'TCP', targetPort: PORTS.rpc },
        { name: 'metrics', port: PORTS.metrics, protocol: 'TCP', targetPort: PORTS.metrics },
      ],
    },
  }
}
