/**
 * The schema of a StreamDeployment's spec, from which the CRD, its reference page and the TypeScript type come.
 *
 * What one value can break by itself is in the schema, what two of them can is a CEL rule, and what only the whole tells (configuration keys, memory) is said by validate.ts. Names of Flink stand beside ours as aliases; normalize.ts
 * resolves them. A field that was released is never taken away or made narrower (compatible.ts).
 */
import { z } from 'zod'
import { podTemplate, resources } from './pod-template.ts'
import { kept, memory, nonce, rules, text, texts, whole } from './schema-words.ts'

const URI = 4096
/** Kafka's and Flink's own bound of parallelism. */
export const PARALLELISM_MAX = 32768

const flinkResource = z
  .object({
    cpu: z
      .number()
      .gt(0)
      .max(1024)
      .describe('Cores, such as 0.5: set aside, and the most that may be used.')
      .optional(),
    memory: memory(
      'Memory in Flink’s notation, in which `2048m` and `2g` are MiB and GiB. Kubernetes’ own is understood in `resources`.',
    ).optional(),
    ephemeralStorage: memory('Disk of the node, in Flink’s notation.').optional(),
  })
  .describe('Cores and memory of a process, as Flink says them. Or give `resources`.')

const bothResources = rules({
  rule: '!(has(self.resource) && has(self.resources))',
  message: 'must have `resource` or `resources`, not both',
  fieldPath: '.resource',
  reason: 'FieldValueForbidden',
})

const jobManager = z
  .object({
    resource: flinkResource.optional(),
    resources: resources
      .describe(
        'Requests and limits, as Kubernetes says them. Without memory a JobManager gets 1Gi, without cpu one core.',
      )
      .optional(),
    replicas: whole(
      'JobManagers: one leads, others stand by. One is enough: Kubernetes starts it again, and TaskManagers wait for it.',
      { min: 1, max: 5 },
    ).default(1),
    podTemplate: podTemplate('Of JobManagers; merged over `spec.podTemplate`.').optional(),
  })
  .meta({
    description: 'The JobManager: it runs the job’s `main`, schedules, coordinates checkpoints and serves REST.',
    ...bothResources,
  })

const taskManager = z
  .object({
    resource: flinkResource.optional(),
    resources: resources
      .describe(
        'Requests and limits, as Kubernetes says them. Without memory a TaskManager gets 2Gi, without cpu one core.',
      )
      .optional(),
    replicas: whole(
      'TaskManagers. `kubectl scale` and autoscalers write it; a change makes the parallelism replicas × slots, without restarting a pod that stays.',
      { min: 1, max: 1000 },
    ).default(1),
    podTemplate: podTemplate('Of TaskManagers; merged over `spec.podTemplate`.').optional(),
  })
  .meta({ description: 'TaskManagers: they run the job in their slots.', ...bothResources })

const artifact = (description: string) =>
  z
    .string()
    .min(1)
    .max(URI)
    .meta({
      description,
      ...rules({
        rule: "self.matches('^(local|file|https?|s3)://')",
        message:
          'must be a URI of the scheme local, file, https, http or s3, such as local:///opt/tailrace/usrlib/job.js',
        messageExpression:
          "'must be a URI of the scheme local, file, https, http or s3, such as local:///opt/tailrace/usrlib/job.js; it is \\'' + self + '\\''",
      }),
    })

const job = z
  .object({
    artifact: artifact(
      'What is run: a module, a `.ts` file or a package of `tailrace build`. `local://` is a path in the image; `https://` and `s3://` are fetched by the JobManager.',
    ).optional(),
    jarURI: artifact('Flink’s name of `artifact`.').optional(),
    entry: text(URI, 'The module in the artifact whose `main` is run; the artifact’s own when left out.').optional(),
    entryClass: text(
      URI,
      'Flink’s name of `entry`. The name of a Java class says nothing here and is left out with a warning.',
    ).optional(),
    sql: text(
      262144,
      'Statements to run instead of an artifact. Needs a Tailrace with SQL; refused by one without.',
    ).optional(),
    args: z
      .array(z.string().max(65536))
      .max(1024)
      .meta({ description: 'Arguments of the job’s `main`.', 'x-kubernetes-list-type': 'atomic' })
      .optional(),
    parallelism: whole(
      'Subtasks of each operator that the program gives no parallelism of its own. A change moves the running job over from a fresh checkpoint. Left out: `taskManager.replicas` × slots.',
      { min: 1, max: PARALLELISM_MAX },
    ).optional(),
    state: z
      .enum(['running', 'suspended'])
      .describe(
        '`suspended` stops the job and its pods, keeping its state as `upgradeMode` says; `running` goes on from there.',
      )
      .default('running'),
    upgradeMode: z
      .enum(['savepoint', 'last-state', 'stateless'])
      .describe(
        'What an upgrade or a stop does with state. `savepoint`: stop with a savepoint and go on from it. `last-state`: go on from the newest checkpoint. `stateless`: begin empty. The first two never begin empty when there was state.',
      )
      .default('stateless'),
    savepointTriggerNonce: nonce(
      'Another number than before takes a savepoint, once; the first deployment takes none. `status.jobStatus.savepointInfo` has the result.',
    ).optional(),
    checkpointTriggerNonce: nonce('Another number than before takes a checkpoint, once.').optional(),
    savepointRedeployNonce: nonce(
      'Another number than before stops the job, forgets its state and begins from `initialSavepointPath`.',
    ).optional(),
    initialSavepointPath: z
      .string()
      .min(1)
      .max(URI)
      .describe(
        'The savepoint or checkpoint that the first deployment begins with, and each one that `savepointRedeployNonce` asks for.',
      )
      .optional(),
    allowNonRestoredState: z
      .boolean()
      .describe(
        'Begins even if the savepoint has state of an operator that the job no longer has; that state is left behind.',
      )
      .default(false),
  })
  .meta({
    description:
      'The job of the deployment: what is run, how wide, and what becomes of its state. Without a job it is a session cluster, which takes jobs by REST and `tailrace run -m`.',
    ...rules(
      {
        rule: '[has(self.artifact), has(self.jarURI), has(self.sql)].filter(given, given).size() == 1',
        message: 'must name what is run: exactly one of `artifact` (or its alias `jarURI`) and `sql`',
        messageExpression:
          "'must name what is run: exactly one of `artifact` (or its alias `jarURI`) and `sql`; ' + (has(self.artifact) || has(self.jarURI) || has(self.sql) ? 'several of them are given' : 'none of them is given')",
      },
      {
        rule: '!(has(self.entry) && has(self.entryClass))',
        message: 'must have `entry` or its alias `entryClass`, not both',
        fieldPath: '.entryClass',
        reason: 'FieldValueForbidden',
      },
      {
        rule: '!has(self.savepointRedeployNonce) || has(self.initialSavepointPath)',
        message: 'must say `initialSavepointPath`, which `savepointRedeployNonce` begins from',
        fieldPath: '.savepointRedeployNonce',
      },
    ),
  })

const ingress = z
  .object({
    template: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^\S+$/)
      .describe(
        'Host and path of the JobManager’s REST service and page, such as `{{name}}.{{namespace}}.example.com` or `/{{namespace}}/{{name}}(/|$)(.*)`.',
      ),
    className: text(253, 'Name of the IngressClass.').optional(),
    annotations: texts(262144, 128, 'Annotations of the Ingress.').optional(),
    labels: texts(63, 128, 'Labels of the Ingress.').optional(),
    tls: z
      .array(
        z
          .object({
            hosts: z.array(z.string().max(253)).max(64).describe('Hosts of the certificate.').optional(),
            secretName: text(253, 'Name of the Secret that has it.').optional(),
          })
          .describe('A certificate and its hosts.'),
      )
      .max(32)
      .meta({ description: 'Certificates.', 'x-kubernetes-list-type': 'atomic' })
      .optional(),
  })
  .describe('Makes an Ingress for the JobManager’s REST service and page.')

const configuration = (description: string) => kept(description)

export const streamDeploymentSpec = z
  .object({
    image: text(
      1024,
      'The image of all pods: Tailrace with what the job needs. The operator’s own when left out.',
    ).optional(),
    imagePullPolicy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .describe('When the image is pulled; Kubernetes decides by its tag when left out.')
      .optional(),
    version: z
      .string()
      .max(32)
      .regex(/^v?\d+([._]\d+){0,2}([-+][\w.-]+)?$/)
      .describe(
        'The version of Tailrace in the image, such as `0.1`. One of Flink’s, `v1_20`, is taken and says nothing.',
      )
      .optional(),
    flinkVersion: z
      .string()
      .max(32)
      .regex(/^v\d+_\d+$/)
      .describe('The version of Flink that a manifest was written for. Taken, and says nothing here.')
      .optional(),
    mode: z
      .enum(['native', 'standalone'])
      .describe('Taken and without effect: pods are always made by the operator, and the job’s own have no rights to.')
      .optional(),
    configuration: configuration(
      'Settings of the job and its processes, by the keys of docs/configuration.md: nested, flat or mixed.',
    ).optional(),
    flinkConfiguration: configuration('Flink’s name of `configuration`.').optional(),
    logConfiguration: texts(
      262144,
      16,
      'Files of log settings, name to content. They are put beside the configuration; levels of log4j have no effect.',
    ).optional(),
    serviceAccount: text(
      253,
      'An account that exists, under which all pods run. The operator makes one when left out.',
    ).optional(),
    podTemplate: podTemplate('Of all pods.').optional(),
    jobManager: jobManager.prefault({}),
    taskManager: taskManager.prefault({}),
    job: job.optional(),
    ingress: ingress.optional(),
    restartNonce: nonce(
      'Another number than before restarts the job and its pods, as an upgrade without a change would.',
    ).optional(),
  })
  .meta({
    description: 'What is wanted.',
    ...rules(
      {
        rule: '!(has(self.version) && has(self.flinkVersion))',
        message: 'must have `version` or its alias `flinkVersion`, not both',
        fieldPath: '.flinkVersion',
        reason: 'FieldValueForbidden',
      },
      {
        rule: '!(has(self.configuration) && has(self.flinkConfiguration))',
        message: 'must have `configuration` or its alias `flinkConfiguration`, not both',
        fieldPath: '.flinkConfiguration',
        reason: 'FieldValueForbidden',
      },
      {
        rule: 'has(self.job) == has(oldSelf.job)',
        message:
          'must keep or keep out `job`: a session cluster and one with a job are not turned into each other; make another StreamDeployment',
        messageExpression:
          "has(oldSelf.job) ? 'must keep `job`: a StreamDeployment with a job does not become a session cluster; suspend it by `job.state`, or make another' : 'must stay without `job`: a session cluster does not become one with a job; make another StreamDeployment'",
        fieldPath: '.job',
      },
    ),
  })

/** As a manifest has it, before defaults. */
export type StreamDeploymentSpecInput = z.input<typeof streamDeploymentSpec>
