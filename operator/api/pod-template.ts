/**
 * The schema of a pod template: the fields that people use are typed and described, all others are kept as they are.
 *
 * The whole of a pod's schema is 100 KB, three times. What is kept without being known here is judged by the API server when the operator asks it, by a dry run, for the pods it would make.
 */
import { z } from 'zod'
import { kept, listMap, quantities, text, texts, whole } from './schema-words.ts'

const AS_POD = 'As in a pod: `kubectl explain pod.spec'

const env = z
  .looseObject({
    name: text(512, 'Name of the variable.'),
    value: text(65536, 'Its value; `$(OTHER)` stands for another variable.').optional(),
    valueFrom: kept('Takes the value from a key of a Secret or ConfigMap, or from a field of the pod.').optional(),
  })
  .describe('A variable of the environment.')

const mount = z
  .looseObject({
    name: text(253, 'Name of the volume.'),
    mountPath: text(4096, 'Where it is mounted in the container.'),
    subPath: text(4096, 'A path in the volume that is mounted instead of its root.').optional(),
    readOnly: z.boolean().describe('Mounts it so that nothing can be written.').optional(),
  })
  .describe('A volume in the file system of the container.')

const port = z
  .looseObject({
    containerPort: whole('The port in the container.', { min: 1, max: 65535 }),
    name: text(63, 'A name, by which services refer to it.').optional(),
    protocol: text(16, 'TCP, UDP or SCTP; TCP by default.').optional(),
  })
  .describe('A port that the container listens on.')

export const resources = z.object({
  requests: quantities('What the scheduler sets aside, such as `cpu: 500m` and `memory: 2Gi`.').optional(),
  limits: quantities('What a container may use at most.').optional(),
  claims: listMap(
    z
      .looseObject({
        name: text(253, 'Name of the claim in the pod.'),
        request: text(253, 'The request of the claim; all of them when left out.').optional(),
      })
      .describe('A claim.'),
    'name',
    32,
    'Claims of dynamic resource allocation.',
  ).optional(),
})

const container = z
  .looseObject({
    name: text(
      63,
      'Name of the container. `tailrace` (or `flink-main-container`) is the one that runs Tailrace: what is given for it is merged into it. Any other is a container beside it.',
    ),
    image: text(1024, 'Its image; that of `tailrace` is `spec.image`.').optional(),
    imagePullPolicy: text(32, 'When it is pulled: Always, IfNotPresent or Never.').optional(),
    command: z.array(z.string().max(65536)).max(256).describe('What it runs instead of its entrypoint.').optional(),
    args: z.array(z.string().max(65536)).max(256).describe('Arguments of what it runs.').optional(),
    workingDir: text(4096, 'Directory that it starts in.').optional(),
    env: z
      .array(env)
      .max(512)
      .describe('Variables of its environment. Those of a component are merged over the common ones by name.')
      .optional(),
    envFrom: z
      .array(kept('A Secret or ConfigMap.'))
      .max(64)
      .describe('Secrets and ConfigMaps whose keys become variables.')
      .optional(),
    ports: z.array(port).max(64).describe('Ports that it listens on.').optional(),
    resources: resources
      .describe(
        'What it may use. For `tailrace`, what `jobManager` and `taskManager` say holds over this, name by name.',
      )
      .optional(),
    volumeMounts: z.array(mount).max(128).describe('Volumes in its file system, merged by mountPath.').optional(),
    livenessProbe: kept(`${AS_POD}.containers.livenessProbe\`.`).optional(),
    readinessProbe: kept(`${AS_POD}.containers.readinessProbe\`.`).optional(),
    startupProbe: kept(`${AS_POD}.containers.startupProbe\`.`).optional(),
    lifecycle: kept(`${AS_POD}.containers.lifecycle\`.`).optional(),
    securityContext: kept(`What it may do: \`kubectl explain pod.spec.containers.securityContext\`.`).optional(),
  })
  .describe('A container. Fields that are not listed here are kept and handed to Kubernetes.')

const toleration = z
  .looseObject({
    key: text(316, 'The taint; all of them when it is left out.').optional(),
    operator: text(16, 'Exists or Equal.').optional(),
    value: text(63, 'The value of the taint, with Equal.').optional(),
    effect: text(32, 'NoSchedule, PreferNoSchedule or NoExecute; all of them when it is left out.').optional(),
    tolerationSeconds: whole('How long a NoExecute taint is borne, in seconds.').optional(),
  })
  .describe('A taint that pods bear.')

const volume = z
  .looseObject({
    name: text(253, 'Name of the volume, by which containers mount it.'),
    configMap: kept(`${AS_POD}.volumes.configMap\`.`).optional(),
    secret: kept(`${AS_POD}.volumes.secret\`.`).optional(),
    emptyDir: kept(`${AS_POD}.volumes.emptyDir\`.`).optional(),
    persistentVolumeClaim: kept(`${AS_POD}.volumes.persistentVolumeClaim\`.`).optional(),
    hostPath: kept(`${AS_POD}.volumes.hostPath\`.`).optional(),
    ephemeral: kept(`${AS_POD}.volumes.ephemeral\`.`).optional(),
    projected: kept(`${AS_POD}.volumes.projected\`.`).optional(),
    csi: kept(`${AS_POD}.volumes.csi\`.`).optional(),
  })
  .describe('A volume. Kinds that are not listed here are kept and handed to Kubernetes.')

const podSpec = z.looseObject({
  containers: listMap(
    container,
    'name',
    32,
    'Containers of the pod: `tailrace`, and others beside it. Merged by name.',
  ).optional(),
  initContainers: listMap(
    container,
    'name',
    32,
    'Containers that run before, one after the other. Merged by name.',
  ).optional(),
  volumes: listMap(volume, 'name', 128, 'Volumes of the pod. Merged by name.').optional(),
  nodeSelector: texts(253, 64, 'Labels that a node must have.').optional(),
  affinity: kept('Which nodes, and beside which pods: `kubectl explain pod.spec.affinity`.').optional(),
  tolerations: z.array(toleration).max(64).describe('Taints of nodes that the pods bear.').optional(),
  topologySpreadConstraints: z
    .array(kept('A constraint.'))
    .max(16)
    .describe(`${AS_POD}.topologySpreadConstraints\`.`)
    .optional(),
  imagePullSecrets: listMap(
    z.looseObject({ name: text(253, 'Name of the Secret.') }).describe('A Secret.'),
    'name',
    32,
    'Secrets that images are pulled with.',
  ).optional(),
  securityContext: kept('What all containers may do: `kubectl explain pod.spec.securityContext`.').optional(),
  priorityClassName: text(253, 'Name of a PriorityClass.').optional(),
  runtimeClassName: text(253, 'Name of a RuntimeClass.').optional(),
  schedulerName: text(253, 'Who schedules the pods.').optional(),
  terminationGracePeriodSeconds: whole('How long a pod may take to end, in seconds.', { min: 0 }).optional(),
  hostNetwork: z.boolean().describe('Pods use the network of their node.').optional(),
  dnsPolicy: text(64, `${AS_POD}.dnsPolicy\`.`).optional(),
  shareProcessNamespace: z.boolean().describe('Containers of a pod see each other’s processes.').optional(),
})

/** `whose` ends the description: what the template is merged with. */
export function podTemplate(whose: string) {
  return z
    .looseObject({
      metadata: z
        .looseObject({
          labels: texts(63, 128, 'Labels of the pods; those of the operator stay as they are.').optional(),
          annotations: texts(262144, 128, 'Annotations of the pods.').optional(),
        })
        .describe('Labels and annotations of the pods.')
        .optional(),
      spec: podSpec
        .describe(
          'The pod: containers, volumes, where it may run. Fields that are not listed here are kept and handed to Kubernetes, which is asked for the result before a pod is made.',
        )
        .optional(),
    })
    .describe(`What pods have besides what the operator gives them. ${whose}`)
}
