/**
 * The pod of a JobManager or TaskManager: what every one has, the user's template over it, and over that what cannot be another way.
 *
 * What must hold: nothing of parallelism, replicas or restore points is in it, so that pods stay when those change.
 */
import type { ComponentSpec, Container, DeploymentSpec, PodSpec, PodTemplate } from '../api/deployment-spec.ts'
import { MAIN_CONTAINER, mergePodTemplates } from '../api/pod-merge.ts'
import { configurationHash, configurationOf } from './configuration.ts'
import { shortHash } from './hash.ts'
import { ANNOTATIONS, type Component, childNames, type Identity, PATHS, selectorOf, USER_ID } from './names.ts'

/** After which a pod of a node that does not answer is given up. */
const UNREACHABLE_SECONDS = 10

export interface PodWish {
  identity: Identity
  spec: DeploymentSpec
  component: Component
  /** Per TaskManager. */
  slots: number
  args: string[]
  /** Of the main container: ports, probes, further mounts. */
  container: Partial<Container>
  /** Of the pod template. */
  annotations?: Record<string, string>
}

export function podTemplate(wish: PodWish): PodTemplate {
  const { identity, spec, component, slots, args } = wish
  const { name } = identity
  const own: ComponentSpec = component === 'jobmanager' ? spec.jobManager : spec.taskManager
  const merged = mergePodTemplates({ ...standardTemplate(wish, own) }, { ...own.podTemplate })
  const pod = merged.spec
  const main = pod.containers.find((one) => one.name === MAIN_CONTAINER)!
  const fixed: Container = {
    ...main,
    image: spec.image,
    ...(spec.imagePullPolicy && { imagePullPolicy: spec.imagePullPolicy }),
    args,
    resources: own.resources,
  }
  const template: PodTemplate = {
    metadata: {
      labels: { ...merged.metadata?.labels, ...selectorOf(name, component) },
      annotations: {
        ...merged.metadata?.annotations,
        ...wish.annotations,
        [ANNOTATIONS.configuration]: configurationHash(configurationOf(identity, spec, slots)),
      },
    },
    spec: {
      ...pod,
      containers: [fixed, ...pod.containers.filter((one) => one.name !== MAIN_CONTAINER)],
      tolerations: tolerations(pod.tolerations),
      serviceAccountName: spec.serviceAccount ?? childNames(name).access,
    },
  }
  template.metadata!.annotations![ANNOTATIONS.template] = shortHash(template)
  return template
}

/** Below the user's template. */
function standardTemplate({ identity, component, container }: PodWish, own: ComponentSpec): PodTemplate {
  const mounts = [
    { name: 'tailrace-configuration', mountPath: PATHS.configuration, readOnly: true },
    { name: 'tailrace-tmp', mountPath: PATHS.temporary },
    { name: 'tailrace-work', mountPath: PATHS.work },
  ]
  const taken = new Set(mainOf(own.podTemplate)?.volumeMounts?.map((mount) => mount.mountPath))
  const kept = mounts.filter((mount) => !taken.has(mount.mountPath))
  const main: Container = {
    name: MAIN_CONTAINER,
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'TAILRACE_CONF_DIR', value: taken.has(PATHS.configuration) ? OTHER_CONFIGURATION : PATHS.configuration },
    ],
    volumeMounts: taken.has(PATHS.configuration) ? [{ ...mounts[0]!, mountPath: OTHER_CONFIGURATION }, ...kept] : kept,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    terminationMessagePolicy: 'FallbackToLogsOnError',
    ...container,
  }
  const spec: PodSpec = {
    containers: [main],
    volumes: [
      { name: 'tailrace-configuration', configMap: { name: childNames(identity.name).configuration } },
      { name: 'tailrace-tmp', emptyDir: {} },
      { name: 'tailrace-work', emptyDir: {} },
    ],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    // Only a JobManager asks the API server, and a TaskManager that looks for it.
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: component === 'jobmanager' ? 30 : 15,
  }
  return { metadata: {}, spec }
}

/** The user's, and ours for taints of which theirs say nothing. */
function tolerations(given: unknown): object[] {
  const theirs = (given ?? []) as { key?: string }[]
  const ours = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: UNREACHABLE_SECONDS,
  }))
  return [...ours.filter(({ key }) => !theirs.some((one) => one.key === key)), ...theirs]
}

/** Where the configuration lies when the user's template mounts something of its own in its place. */
const OTHER_CONFIGURATION = '/opt/tailrace/operator-conf'

function mainOf(template: PodTemplate | undefined): Container | undefined {
  return template?.spec?.containers?.find((one) => one.name === MAIN_CONTAINER)
}
