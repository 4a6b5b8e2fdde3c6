/**
 * Facts of one deployment: its resource, its children, its pods, and what its JobManager says. Reads only.
 *
 * What must hold: whatever is read may be old, so nothing is concluded here; the record is written under the version of the resource that was read.
 */
import { lineOf } from '../../api/messages.ts'
import { type NormalizeOptions, readSpec } from '../../api/normalize.ts'
import type { StreamDeployment } from '../../api/stream-deployment.ts'
import { type KubeObject, RESOURCES } from '../../kube/objects.ts'
import { canonicalJson } from '../../resources/hash.ts'
import { ANNOTATIONS, childNames, DEPLOYMENT_LABEL, FINALIZER, type Identity } from '../../resources/names.ts'
import type { Rendering } from '../../resources/rendering.ts'
import { readDirective } from '../../resources/restore-directive.ts'
import { revisionName, revisionSelector } from '../../resources/revision.ts'
import type { ClusterView, Facts, KnownSpec, Operation } from './facts.ts'
import type { JobManagerClient } from './job-manager-client.ts'
import { deadNodes, podOf, type Reader, workloadOf } from './pod-facts.ts'
import { FIRST_RECORD, type Reconciliation } from './record.ts'

export interface GatherOptions {
  reader: Reader
  /** What deployments get where their spec does not say. */
  defaults: NormalizeOptions
  jobManager: JobManagerClient
  /** What the JobManager said last. */
  cluster: ClusterView | undefined
  /** Of this name, if it was read or made before. */
  rendering?: KeptRendering | undefined
  nowMs: number
}

export interface Gathered {
  facts: Facts
  /** Children as they are, by kind and name. */
  observed: ReadonlyMap<string, KubeObject>
  /** What a revision of the wanted spec keeps. */
  revisionData: unknown
}

/** It never changes. */
export interface KeptRendering {
  name: string
  data: Rendering
}

const CHILDREN = [
  'serviceAccounts',
  'roles',
  'roleBindings',
  'configMaps',
  'leases',
  'services',
  'statefulSets',
  'deployments',
  'ingresses',
] as const

export async function gather(deployment: StreamDeployment, options: GatherOptions): Promise<Gathered> {
  const { reader, defaults, nowMs } = options
  const { metadata } = deployment
  const { namespace, name } = metadata
  const identity: Identity = { name, namespace, uid: metadata.uid, ...(metadata.labels && { labels: metadata.labels }) }
  const record = (deployment.status?.reconciliation as Reconciliation | undefined) ?? FIRST_RECORD
  const revisionData = { spec: deployment.spec, ...defaults }
  const { spec, problems, warnings } = readSpec(deployment.spec, defaults)
  const wanted: Facts['wanted'] =
    spec === undefined || problems.length > 0
      ? { invalid: problems.map(lineOf) }
      : { spec, revision: revisionName(identity, revisionData) }
  const known = async (revision: string | undefined): Promise<KnownSpec | undefined> => {
    if (revision === undefined) return
    if ('revision' in wanted && wanted.revision === revision) return wanted
    const kept = await reader.get(RESOURCES.controllerRevisions, { namespace, name: revision })
    const data = kept?.['data'] as ({ spec: unknown } & NormalizeOptions) | undefined
    if (data === undefined) return
    const { image, configuration } = data
    const given = { image, ...(configuration && { configuration }) }
    const [read, today] = [given, defaults].map((options) => readSpec(data.spec, options).spec)
    const isSame = canonicalJson(given) === canonicalJson(defaults)
    return read && { spec: read, revision, ...(!isSame && today && { today }) }
  }
  const [lost, rendering, kept, previous, children, pods] = await Promise.all([
    lostOf(reader, identity, record),
    renderingOf(reader, namespace, record.rendering, options.rendering),
    known(record.revision),
    known(record.previous),
    observe(reader, identity),
    reader.list(RESOURCES.pods, { namespace, labelSelector: `${DEPLOYMENT_LABEL}=${name}` }),
  ])
  const { observed, leftovers } = children
  const names = childNames(name)
  const lease = observed.get(`Lease/${names.lease}`)
  const [jobManager, taskManager] = [
    observed.get(`Deployment/${names.jobManager}`),
    observed.get(`StatefulSet/${names.taskManager}`),
  ]
  const podFacts = await Promise.all(pods.items.map((pod) => podOf(reader, pod, nowMs)))
  const account = kept?.spec.serviceAccount ?? spec?.serviceAccount
  const isMissing =
    account !== undefined && (await reader.get(RESOURCES.serviceAccounts, { namespace, name: account })) === undefined
  const facts: Facts = {
    identity,
    resourceGeneration: metadata.generation,
    createdMs: Date.parse(metadata.creationTimestamp ?? '') || nowMs,
    hasFinalizer: metadata.finalizers?.includes(FINALIZER) ?? false,
    ...(metadata.deletionTimestamp !== undefined && {
      deletion: {
        sinceMs: Date.parse(metadata.deletionTimestamp),
        force: metadata.annotations?.[ANNOTATIONS.forceDelete] === 'true',
      },
    }),
    wanted,
    warnings: warnings.map(lineOf),
    ...(kept && { kept }),
    ...(previous && { previous }),
    record,
    ...(rendering && { rendering }),
    lost,
    ...(jobManager && { jobManager: await workloadOf(reader, jobManager, podFacts, 'jobmanager') }),
    ...(taskManager && { taskManager: await workloadOf(reader, taskManager, podFacts, 'taskmanager') }),
    ...(lease && { lease: leaseOf(lease) }),
    pods: podFacts,
    deadNodes: await deadNodes(reader, podFacts),
    leftovers,
    ...(isMissing && { missingServiceAccount: account }),
    ...(jobManager && options.cluster && { cluster: options.cluster }),
    operations: await operationsOf(record, options.jobManager),
  }
  return { facts, observed, revisionData }
}

async function lostOf(
  reader: Reader,
  { namespace, name }: Identity,
  { revision, rendering }: Reconciliation,
): Promise<ReadonlySet<string>> {
  const labelSelector = revisionSelector(name)
  const { items } = await reader.list(RESOURCES.controllerRevisions, { namespace, labelSelector })
  const lost = new Set([revision, rendering].filter((one) => one !== undefined))
  for (const { metadata } of items) lost.delete(metadata.name)
  return lost
}

async function renderingOf(
  reader: Reader,
  namespace: string,
  name: string | undefined,
  known: KeptRendering | undefined,
): Promise<Rendering | undefined> {
  if (name === undefined) return
  if (known?.name === name) return known.data
  return (await reader.get(RESOURCES.controllerRevisions, { namespace, name }))?.['data'] as Rendering | undefined
}

/** Children by kind and name, and those that belong to a deployment that was deleted. */
async function observe(reader: Reader, { name, namespace, uid }: Identity) {
  const observed = new Map<string, KubeObject>()
  const leftovers: string[] = []
  const lists = await Promise.all(
    CHILDREN.map(async (plural) => {
      const { items } = await reader.list(RESOURCES[plural], {
        namespace,
        labelSelector: `${DEPLOYMENT_LABEL}=${name}`,
      })
      return items.map((item) => ({ item, kind: RESOURCES[plural].kind }))
    }),
  )
  for (const { item, kind } of lists.flat()) {
    const owner = item.metadata.ownerReferences?.find(({ controller }) => controller)
    if (owner === undefined || owner.uid === uid) observed.set(`${kind}/${item.metadata.name}`, item)
    else leftovers.push(`${kind} ${item.metadata.name}`)
  }
  return { observed, leftovers }
}

function leaseOf({ metadata, spec }: KubeObject): NonNullable<Facts['lease']> {
  const restore = readDirective(metadata.annotations?.[ANNOTATIONS.restore])
  const parallelism = Number(metadata.annotations?.[ANNOTATIONS.parallelism])
  const holder: string | undefined = spec?.holderIdentity
  return { ...(restore && { restore }), ...(parallelism > 0 && { parallelism }), ...(holder && { holder }) }
}

async function operationsOf(
  { stop, pending }: Reconciliation,
  jobManager: JobManagerClient,
): Promise<Record<string, Operation>> {
  const asked = [
    ...(stop ? [{ kind: 'savepoints' as const, ...stop }] : []),
    ...(pending.savepoint ? [{ kind: 'savepoints' as const, ...pending.savepoint }] : []),
    ...(pending.checkpoint ? [{ kind: 'checkpoints' as const, ...pending.checkpoint }] : []),
  ]
  const answers = asked.map(
    async ({ kind, jobId, triggerId }) => [triggerId, await jobManager.operation(kind, jobId, triggerId)] as const,
  )
  return Object.fromEntries(await Promise.all(answers))
}
