/**
 * A spec that is new is tried by the API server before anything is stopped for it: dry runs of the objects that a user's words go into, and of the pods that would be made.
 *
 * What must hold: only what the API server or its admission judges of the objects themselves refuses a spec. That there is no room, that something is made a moment later or that a judge cannot
 * be asked without harm does not; and where it is not known, nothing is decided yet (the error goes on to whoever reconciles).
 */
import { decideScale } from '../../api/scale.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, RESOURCES } from '../../kube/objects.ts'
import { isKubeError, KUBE } from '../../kube/status-error.ts'
import { buildChildren, type ClusterPlan } from '../../resources/children.ts'
import { resourceOf } from './apply-children.ts'
import { wishOf } from './decide.ts'
import { differenceOf } from './diff.ts'
import type { Facts, KnownSpec } from './facts.ts'

/** What was refused is tried again after so long: a policy may have changed. */
export const TRIAL_AGAIN_MS = 60_000

const TRIED = new Set(['ConfigMap', 'Ingress', 'StatefulSet', 'Deployment'])
const JUDGED = /admission webhook|violates PodSecurity|ValidatingAdmissionPolicy|denied (the )?request/i
const UNABLE = /does not support dry ?run/i

/** Of one deployment: what was said of the spec that was tried last. */
export class Trial {
  #revision = ''
  #problems: string[] = []
  #atMs = -Infinity

  /**
   * What is wrong with the wanted spec by the API server; nothing when it runs already. Rejects when the API server cannot say.
   *
   * @param nowMs of a monotonic clock
   */
  async of(facts: Facts, client: KubeClient, nowMs: number): Promise<string[]> {
    const { wanted, record, kept, deletion } = facts
    if ('invalid' in wanted || wanted.revision === record.revision || deletion !== undefined) return []
    const isOld = this.#problems.length > 0 && nowMs - this.#atMs >= TRIAL_AGAIN_MS
    if (this.#revision === wanted.revision && !isOld) return this.#problems
    const difference = kept === undefined ? 'RESTART' : differenceOf(kept, wanted).class
    this.#problems = difference === 'NONE' || difference === 'RESCALE' ? [] : await trialOf(facts, wanted, client)
    this.#revision = wanted.revision
    this.#atMs = nowMs
    return this.#problems
  }
}

async function trialOf({ identity, record }: Facts, wanted: KnownSpec, client: KubeClient): Promise<string[]> {
  const { spec } = wanted
  const scale = decideScale(wishOf(wanted), record.scale)
  const generation = record.generation + 1
  const plan: ClusterPlan = {
    spec,
    generation,
    slots: scale.slots,
    parallelism: spec.job === undefined ? undefined : scale.parallelism,
    taskManagers: scale.taskManagers,
    restore: { generation, from: 'latest' },
    pods: true,
  }
  const objects = buildChildren(identity, plan).filter(({ kind }) => TRIED.has(kind))
  const said = await Promise.all(
    objects.map((object) => refusalOf(client.apply(resourceOf(object), object, { dryRun: true }), false)),
  )
  const problems = said.filter((text) => text !== undefined)
  if (problems.length > 0) return problems
  const pods = objects.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment').map(podOf)
  const ofPods = await Promise.all(
    pods.map((pod) => refusalOf(client.create(RESOURCES.pods, pod, { dryRun: true }), true)),
  )
  return ofPods.filter((text) => text !== undefined)
}

/** The first that would be made of it; by this name nobody makes one. */
function podOf({ metadata, spec }: KubeObject): KubeObject {
  const { metadata: given, spec: pod } = spec.template
  return { metadata: { ...given, namespace: metadata.namespace, name: `${metadata.name}-trial` }, spec: pod }
}

/** @param isPod which the operator itself may not be allowed to make: then nobody judges it */
async function refusalOf(request: Promise<unknown>, isPod: boolean): Promise<string | undefined> {
  try {
    await request
    return undefined
  } catch (error) {
    if (isKubeError(error, KUBE.quota, KUBE.exists, KUBE.conflict)) return undefined
    if (!isKubeError(error, KUBE.invalid, KUBE.denied)) throw error
    const { code, message } = error
    if (UNABLE.test(message)) return undefined
    if (code === KUBE.invalid || JUDGED.test(message)) return message
    if (isPod) return undefined
    throw error
  }
}
