/**
 * A deployment's world in a few lines, for decisions: a Lease, pods that follow what is applied, and a job that counts. What the JobManager promises of directives is kept here as docs say it: a
 * generation begins once, later starts of it go on from its newest checkpoint, and an older generation than the directive's begins nothing. A job that was stopped is not begun again in its generation,
 * and the savepoint behind which it was stopped is what the latest is; what was done under an id stays done, what was not is lost.
 */
import type { DeploymentSpec, PodTemplate } from '../../api/deployment-spec.ts'
import type { ClusterPlan } from '../../resources/children.ts'
import { FRAUD } from '../../resources/example.suite.ts'
import { type Render, type Rendering, render } from '../../resources/rendering.ts'
import type { RestoreDirective } from '../../resources/restore-directive.ts'
import { decide } from './decide.ts'
import type { Act } from './decision.ts'
import { diff } from './diff.ts'
import { known } from './facts.suite.ts'
import type { Facts, JobView, KnownSpec, Operation } from './facts.ts'
import { FIRST_RECORD, type Reconciliation } from './record.ts'

interface Snapshot {
  id: number
  value: number
}

export class World {
  nowMs = 1_800_000_000_000
  wanted: DeploymentSpec
  deletionMs: number | undefined
  hasFinalizer = false
  gone = false
  /** Of the resource's status: survives the operator. */
  record: Reconciliation = FIRST_RECORD
  revisions = new Map<string, KnownSpec>()
  renderings = new Map<string, Rendering>()
  /** Of the operator that runs now; each makes other pods of the same spec. */
  version = 1
  /** How often a job that ran was restarted though no edit asked for it. */
  unasked = 0
  directive: RestoreDirective | undefined
  parallelism: number | undefined
  taskManagers = 0
  jobManager: { generation: number; spec: DeploymentSpec; template: string } | undefined
  job: (JobView & { value: number }) | undefined
  checkpoints: Snapshot[] = []
  savepoints = new Map<string, Snapshot & { committed: number }>()
  operations = new Map<string, Operation>()
  /** Of the JobManager's generation, kept in its registry. */
  begun: { generation: number; from: RestoreDirective['from']; above: number } | undefined
  /** How often a savepoint was begun, by trigger id. */
  triggered = new Map<string, number>()
  /** Starts: what each began with. */
  starts: { generation: number; value: number; directive: RestoreDirective }[] = []
  error: string | undefined
  /** Starts behind what had been committed. */
  doubled = 0
  #ids = 0

  constructor(wanted: DeploymentSpec) {
    this.wanted = wanted
  }

  facts(): Facts {
    const { record } = this
    const wanted = known(this.wanted)
    const kept = this.revisions.get(record.revision ?? '')
    const previous = this.revisions.get(record.previous ?? '')
    const rendering = this.renderings.get(record.rendering ?? '')
    const { jobManager, job } = this
    return {
      identity: FRAUD,
      resourceGeneration: 1,
      createdMs: 0,
      hasFinalizer: this.hasFinalizer,
      ...(this.deletionMs !== undefined && { deletion: { sinceMs: this.deletionMs, force: false } }),
      wanted,
      warnings: [],
      ...(kept && { kept }),
      ...(previous && { previous }),
      ...(rendering && { rendering }),
      record,
      ...(this.directive && { lease: { restore: this.directive } }),
      ...(jobManager && { jobManager: { replicas: 1, ready: 1, settled: true } }),
      ...(this.taskManagers > 0 && {
        taskManager: { replicas: this.taskManagers, ready: this.taskManagers, settled: true },
      }),
      pods: [],
      leftovers: [],
      ...(jobManager && {
        cluster: {
          generation: jobManager.generation,
          jobs: job ? [job] : [],
          slots: { total: 0, free: 0, byTaskManager: this.#slots() },
        },
      }),
      operations: Object.fromEntries(this.operations),
    }
  }

  /** One pass of an operator, which dies after `steps` of its steps; true when it has come to its end. */
  reconcile(steps = Infinity): boolean {
    if (this.gone) return true
    const before = JSON.stringify(this.record)
    const decision = decide(this.facts(), this.nowMs, this.#render)
    const todo: (() => void)[] = []
    const { plan } = decision
    todo.push(...decision.acts.filter(({ type }) => type === 'addFinalizer').map((act) => () => this.#act(act)))
    const wanted = known(this.wanted)
    if (decision.keepRevision !== undefined) todo.push(() => this.revisions.set(wanted.revision, wanted))
    const { keepRendering } = decision
    if (keepRendering !== undefined) todo.push(() => this.renderings.set(keepRendering.name, keepRendering.data))
    if (JSON.stringify(decision.record) !== before) todo.push(() => (this.record = structuredClone(decision.record)))
    if (plan !== undefined) {
      todo.push(() => (this.directive = plan.restore))
      todo.push(() => (this.parallelism = plan.parallelism))
      if (plan.pods) {
        todo.push(() => (this.taskManagers = plan.taskManagers))
        todo.push(() => this.#applyJobManager(plan))
      }
    }
    todo.push(...decision.acts.filter(({ type }) => type !== 'addFinalizer').map((act) => () => this.#act(act)))
    for (const one of todo.slice(0, steps)) one()
    return steps >= todo.length
  }

  /** Time goes on: jobs start, count and take checkpoints, savepoints complete. */
  advance(): void {
    this.nowMs += 1_000
    const { job, jobManager, directive } = this
    if (jobManager !== undefined && job === undefined) this.#begin()
    else if (job?.state === 'INITIALIZING') job.state = 'RUNNING'
    else if (job?.state === 'CANCELLING') job.state = 'CANCELED'
    else if (job?.state === 'RUNNING' && jobManager !== undefined && directive !== undefined) {
      for (const [id, { state }] of this.operations) if (state === 'IN_PROGRESS') this.#complete(id)
      if (job.state !== 'RUNNING') return
      job.value++
      this.checkpoints.push({ id: ++this.#ids, value: job.value })
      this.#committed = job.value
      job.latestCheckpoint = { id: this.#ids, path: `chk-${this.#ids}`, time: this.nowMs }
      if (this.parallelism !== undefined) job.parallelism = this.parallelism
    }
  }

  /** The JobManager's process ends, and its container is started again: it knows what was done, and of what was not that it was lost. */
  crash(): void {
    if (this.jobManager === undefined || this.job?.state === 'CANCELED') return
    if (this.job?.state !== 'FINISHED') this.job = undefined
    for (const [id, { state }] of this.operations) if (state === 'IN_PROGRESS') this.operations.delete(id)
  }

  #slots() {
    const parallelism = this.job?.state === 'RUNNING' ? this.job.parallelism : 0
    return Array.from({ length: this.taskManagers }, (_, at) => ({
      id: `fraud-taskmanager-${at}`,
      total: 4,
      free: Math.min(4, Math.max(0, (at + 1) * 4 - parallelism)),
    }))
  }

  readonly #render: Render = (wish) => {
    const rendering = render(wish)
    return { ...rendering, jobManager: { ...rendering.jobManager, madeBy: this.version } as PodTemplate }
  }

  #applyJobManager({ generation, spec, rendering }: ClusterPlan): void {
    const template = JSON.stringify(rendering!.jobManager)
    const { jobManager } = this
    if (jobManager?.template === template) return
    const isEdit = jobManager?.generation !== generation || diff(jobManager.spec, spec).class === 'RESTART'
    if (this.job?.state === 'RUNNING' && !isEdit) this.unasked++
    this.jobManager = { generation, spec, template }
    this.job = undefined
    this.operations.clear()
  }

  #begin(): void {
    const { generation } = this.jobManager!
    const directive = this.directive!
    if (directive.generation > generation) return
    if (this.begun?.generation === generation && this.#stopped !== undefined) {
      this.job = this.#stopped.job
      return
    }
    let from: Snapshot | undefined
    if (this.begun?.generation === generation) {
      const { above } = this.begun
      from = this.checkpoints.findLast(({ id }) => id > above) ?? this.#resolve(this.begun.from)
    } else {
      from = this.#resolve(directive.from)
      if (from === undefined && directive.neverEmpty)
        this.error = `generation ${generation} finds nothing from ${directive.from}`
      if (from !== undefined && directive.from === 'latest' && from.id < (directive.atLeast ?? 0))
        this.error = 'an older checkpoint'
      this.begun = {
        generation,
        from: from === undefined ? 'empty' : directive.from,
        above: directive.from === 'latest' && from ? from.id - 1 : this.#ids,
      }
    }
    this.#stopped = undefined
    const value = from?.value ?? 0
    if (value < this.#committed) this.doubled++
    this.starts.push({ generation, value, directive })
    const id = `job-${generation}`
    this.job = {
      id,
      name: 'fraud',
      state: 'INITIALIZING',
      startTime: this.nowMs,
      parallelism: this.parallelism ?? 1,
      restarts: 0,
      value,
    }
  }

  #resolve(from: string): Snapshot | undefined {
    if (from === 'empty') return undefined
    return from === 'latest' ? (this.#stopped?.at ?? this.checkpoints.at(-1)) : this.savepoints.get(from)
  }

  #complete(triggerId: string): void {
    const job = this.job!
    const location = `savepoint-${triggerId.slice(0, 8)}`
    const at = { id: ++this.#ids, value: job.value, committed: job.value }
    this.savepoints.set(location, at)
    this.operations.set(triggerId, { state: 'COMPLETED', location })
    job.latestSavepoint = { path: location, time: this.nowMs, triggerId }
    if (!this.#stops.has(triggerId)) return
    job.state = 'FINISHED'
    this.#stopped = { at, job }
    this.#committed = at.value
  }

  readonly #stops = new Set<string>()
  /** The job that was stopped, and where, until the next generation has begun. */
  #stopped: { at: Snapshot; job: World['job'] } | undefined
  #committed = 0

  #act(act: Act): void {
    switch (act.type) {
      case 'addFinalizer':
        this.hasFinalizer = true
        break
      case 'removeFinalizer':
        this.gone = true
        break
      case 'stopWithSavepoint':
      case 'triggerSavepoint':
      case 'triggerCheckpoint':
        if (this.operations.has(act.triggerId) || this.job?.state !== 'RUNNING') break
        this.operations.set(act.triggerId, { state: 'IN_PROGRESS' })
        this.triggered.set(act.triggerId, (this.triggered.get(act.triggerId) ?? 0) + 1)
        if (act.type === 'stopWithSavepoint') this.#stops.add(act.triggerId)
        break
      case 'cancel':
        if (this.job?.state === 'RUNNING') this.job.state = 'CANCELLING'
        break
      case 'deleteWorkloads':
        this.jobManager = undefined
        this.job = undefined
        this.taskManagers = 0
        this.operations.clear()
        break
      case 'deletePod':
        break
    }
  }
}
