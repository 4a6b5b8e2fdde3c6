/**
 * The CustomResourceDefinition of StreamDeployment: made of the zod schemas, written to crds/ by scripts/crds.ts.
 *
 * It has to stay below 256 KB, so that `kubectl apply` can keep the last applied form in an annotation.
 */
import { z } from 'zod'
import { streamDeploymentSpec } from './spec.ts'
import { streamDeploymentStatus } from './status.ts'
import { GROUP, NAME_LENGTH_MAX, STREAM_DEPLOYMENT, VERSION } from './stream-deployment.ts'
import { type Structural, structural } from './structural.ts'

/** What an API server refuses in an annotation. */
export const CRD_BYTES_MAX = 262_144

interface PrinterColumn {
  name: string
  type: 'string' | 'integer' | 'date'
  jsonPath: string
  description: string
  /** 1: with `-o wide` only. */
  priority?: number
}

export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1'
  kind: 'CustomResourceDefinition'
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: {
    group: string
    scope: 'Namespaced'
    names: {
      kind: string
      listKind: string
      plural: string
      singular: string
      shortNames: string[]
      categories: string[]
    }
    versions: {
      name: string
      served: boolean
      storage: boolean
      schema: { openAPIV3Schema: Structural }
      subresources: {
        status: Record<string, never>
        scale: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath: string }
      }
      additionalPrinterColumns: PrinterColumn[]
    }[]
  }
}

const READY = '.status.conditions[?(@.type=="Ready")]'

const COLUMNS: PrinterColumn[] = [
  { name: 'Ready', type: 'string', jsonPath: `${READY}.status`, description: 'Whether it does what the spec wants.' },
  { name: 'Job Status', type: 'string', jsonPath: '.status.jobStatus.state', description: 'State of the job.' },
  { name: 'Lifecycle', type: 'string', jsonPath: '.status.lifecycleState', description: 'Where it is in its life.' },
  {
    name: 'Parallelism',
    type: 'integer',
    jsonPath: '.status.jobStatus.parallelism',
    description: 'Parallelism that the job runs with.',
  },
  {
    name: 'TMs',
    type: 'integer',
    jsonPath: '.status.taskManager.replicas',
    description: 'TaskManagers that there are.',
  },
  {
    name: 'Last Checkpoint',
    type: 'date',
    jsonPath: '.status.jobStatus.checkpointInfo.lastCheckpoint.time',
    description: 'How long ago the newest checkpoint was complete.',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'How long ago it was made.' },
  { name: 'Image', type: 'string', jsonPath: '.spec.image', description: 'The image of its pods.', priority: 1 },
  {
    name: 'Upgrade Mode',
    type: 'string',
    jsonPath: '.spec.job.upgradeMode',
    description: 'What an upgrade does with state.',
    priority: 1,
  },
  {
    name: 'Restarts',
    type: 'integer',
    jsonPath: '.status.jobStatus.restarts',
    description: 'How often the job was restarted.',
    priority: 1,
  },
  {
    name: 'Message',
    type: 'string',
    jsonPath: `${READY}.message`,
    description: 'Why it is ready or not.',
    priority: 1,
  },
]

const resource = z
  .object({
    apiVersion: z.string().describe('tailrace.dev/v1beta1').optional(),
    kind: z.string().describe('StreamDeployment').optional(),
    metadata: z
      .object({
        name: z
          .string()
          .max(NAME_LENGTH_MAX)
          .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/)
          .optional(),
      })
      .optional(),
    spec: streamDeploymentSpec.optional(),
    status: streamDeploymentStatus.optional(),
  })
  .describe(
    'A streaming job and its cluster, or a session cluster: what is run, by how many processes, and what becomes of its state when either changes.',
  )

/** The definition, as the API server takes it. */
export function streamDeploymentDefinition(): CustomResourceDefinition {
  const { kind, plural, singular } = STREAM_DEPLOYMENT
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${GROUP}`,
      labels: { 'app.kubernetes.io/name': 'tailrace', 'app.kubernetes.io/component': 'operator' },
    },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: ['sd'], categories: ['streaming'] },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: structural(resource) },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.taskManager.replicas',
              statusReplicasPath: '.status.taskManager.replicas',
              labelSelectorPath: '.status.taskManager.labelSelector',
            },
          },
          additionalPrinterColumns: COLUMNS,
        },
      ],
    },
  }
}
