/**
 * Reconciles StreamDeployments, one key at a time: gather, decide, write the status, act.
 *
 * What must hold: a key is not reconciled twice at once (the queue sees to it), and what could not be done is decided anew from the facts of then.
 */
import type { Clock, Schedule } from '../../../runtime/core/clock.ts'
import type { NormalizeOptions } from '../../api/normalize.ts'
import type { StreamDeployment } from '../../api/stream-deployment.ts'
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, keyOf, type ObjectKey } from '../../kube/objects.ts'
import { isKubeError, KUBE } from '../../kube/status-error.ts'
import { childNames } from '../../resources/names.ts'
import type { Render } from '../../resources/rendering.ts'
import { act, DEPLOYMENTS } from './act.ts'
import { AppliedChildren } from './applied.ts'
import { ClusterWatch } from './cluster-watch.ts'
import { decide } from './decide.ts'
import type { EventWish } from './decision.ts'
import type { Facts } from './facts.ts'
import { gather, type KeptRendering } from './gather.ts'
import type { JobManagerClient } from './job-manager-client.ts'
import { lookAgainMs } from './look-again.ts'
import { newsOf } from './news.ts'
import type { Reader } from './pod-facts.ts'
import type { EventReason } from './reasons.ts'
import { statusOf } from './status.ts'
import { TRIAL_AGAIN_MS, Trial } from './trial.ts'

export interface ControllerOptions {
  client: KubeClient
  /** Caches; the client itself if not given. */
  reader?: Reader
  defaults: NormalizeOptions
  jobManager(key: Required<ObjectKey>): JobManagerClient
  clock: Clock
  schedule: Schedule
  /** Is to be reconciled soon: its job has changed. */
  enqueue(key: string): void
  event(about: KubeObject, event: EventWish): void
  /** What pods are made of; as this version makes it if not given. */
  render?: Render
  /** Of the long poll. */
  waitMs?: number
}

interface Known {
  client: JobManagerClient
  watch?: ClusterWatch
  pods: string
  applied: AppliedChildren
  trial: Trial
  rendering?: KeptRendering | undefined
  /** Why the API server has not taken what was applied last. */
  refusal?: string
}

/** After somebody else has written the resource. */
const CONFLICT_MS = 50
/** After a JobManager has refused something. */
const REFUSED_MS = 1_000
/** What a JobManager that was never asked has to answer. */
const FIRST_ANSWER_MS = 1_000

export class StreamDeploymentController {
  readonly #options: ControllerOptions
  readonly #known = new Map<string, Known>()

  constructor(options: ControllerOptions) {
    this.#options = options
  }

  /** Rejects when the API server cannot be asked, or refuses. `againMs`: look again then, whatever happens. `gone`: there is no such deployment any more. */
  async reconcile(key: Required<ObjectKey> & { namespace: string }): Promise<{ againMs?: number; gone?: boolean }> {
    const { client, reader = client, defaults, clock, event, render } = this.#options
    const id = keyOf(key)
    const deployment = (await reader.get(DEPLOYMENTS, key)) as StreamDeployment | undefined
    if (deployment === undefined) {
      this.forget(id)
      return { gone: true }
    }
    const known = this.#knownOf(id, key)
    const nowMs = clock.now()
    const gathered = await gather(deployment, {
      reader,
      defaults,
      jobManager: known.client,
      cluster: known.watch?.view,
      rendering: known.rendering,
      nowMs,
    })
    const { facts } = gathered
    if (known.refusal !== undefined) facts.refusal = known.refusal
    await this.#follow(known, id, facts)
    const problems = await known.trial.of(facts, client, clock.monotonic())
    if (problems.length > 0) facts.wanted = { invalid: problems }
    const decision = decide(facts, nowMs, render)
    const { rendering } = decision.record
    const data = decision.plan?.rendering
    if (rendering !== undefined && data !== undefined) known.rendering = { name: rendering, data }
    const status = statusOf(facts, decision, deployment.status, nowMs)
    const about = deployment as unknown as KubeObject
    let refused = false
    const warn = (reason: EventReason, message: string) => {
      refused = true
      event(about, { type: 'Warning', reason, message })
    }
    try {
      await act(deployment, gathered, decision, status, {
        client,
        jobManager: known.client,
        applied: known.applied,
        noted: () => {
          for (const one of [...decision.events, ...newsOf(deployment.status, status)]) event(about, one)
        },
        warn,
      })
    } catch (error) {
      if (isKubeError(error, KUBE.conflict)) return { againMs: CONFLICT_MS }
      if (isKubeError(error, KUBE.invalid, KUBE.denied, KUBE.quota)) known.refusal = error.message
      throw error
    }
    delete known.refusal
    const againMs = Math.min(
      lookAgainMs(facts, decision, status, nowMs),
      refused ? REFUSED_MS : Infinity,
      problems.length > 0 ? TRIAL_AGAIN_MS : Infinity,
    )
    return againMs === Infinity ? {} : { againMs }
  }

  /** Ends all long polls. */
  close(): void {
    for (const id of [...this.#known.keys()]) this.forget(id)
  }

  #knownOf(id: string, key: Required<ObjectKey>): Known {
    const known = this.#known.get(id) ?? {
      client: this.#options.jobManager(key),
      pods: '',
      applied: new AppliedChildren(),
      trial: new Trial(),
    }
    this.#known.set(id, known)
    return known
  }

  /** Polls while there is a JobManager to ask. Whoever has just begun to hears it first: what runs is not told to be silent by an operator that takes over. */
  async #follow(known: Known, id: string, facts: Facts): Promise<void> {
    if (facts.jobManager === undefined) {
      known.watch?.close()
      delete known.watch
      return
    }
    const ready = facts.pods.filter((pod) => pod.ready && pod.component === 'jobmanager')
    const pods = ready.map(({ uid }) => uid).join()
    if (known.watch !== undefined) {
      if (known.pods !== pods) known.watch.hurry()
      known.pods = pods
      return
    }
    known.pods = pods
    const { schedule, enqueue, waitMs } = this.#options
    const { client } = known
    let isAwaited = pods !== ''
    const changed = () => {
      if (!isAwaited) enqueue(id)
    }
    known.watch = new ClusterWatch({ client, schedule, changed, ...(waitMs !== undefined && { waitMs }) })
    if (pods === '') return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = schedule(FIRST_ANSWER_MS, resolve)
    await Promise.race([known.watch.asked, promise])
    cancel()
    isAwaited = false
    const { view } = known.watch
    if (view !== undefined) facts.cluster = view
  }

  /** It is gone, or not to be looked after any more. */
  forget(id: string): void {
    this.#known.get(id)?.watch?.close()
    this.#known.delete(id)
  }
}

/** Where a deployment's REST is, inside of the cluster. */
export function restUrl({ namespace, name }: Required<ObjectKey>): string {
  return `http://${childNames(name).rest}.${namespace}.svc:8081`
}
