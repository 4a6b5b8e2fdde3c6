/** Stories: what is there, and what is decided. */
import { describe, expect, it } from 'vitest'
import { buildChildren } from '../../resources/children.ts'
import { exampleSpec, sessionSpec } from '../../resources/example.suite.ts'
import { triggerIdOf } from '../../resources/hash.ts'
import { decide } from './decide.ts'
import type { Decision } from './decision.ts'
import { cluster, facts, JOB_ID, job, known, NOW, ran, running } from './facts.suite.ts'
import type { Facts, Operation } from './facts.ts'

/** A decision in one line per part. */
function told({ record, plan, acts, events, waiting }: Decision) {
  return {
    step: record.step,
    ...(plan && {
      plan: `generation ${plan.generation}, ${plan.pods ? `${plan.taskManagers}×${plan.slots} for ${plan.parallelism}` : 'no pods'}`,
      restore: `${plan.restore.generation}: ${plan.restore.from}${plan.restore.atLeast ? ` ≥ ${plan.restore.atLeast}` : ''}${plan.restore.neverEmpty ? '' : ' or empty'}`,
    }),
    acts: acts.map((act) =>
      [act.type, 'name' in act ? act.name : '', 'force' in act && act.force ? 'force' : ''].join(' ').trim(),
    ),
    events: events.map(({ reason }) => reason),
    ...(waiting && { waiting: waiting.reason }),
  }
}

interface Story {
  it: string
  facts: Facts
  decides: Partial<ReturnType<typeof told>>
}

const P1 = 's3://bucket/savepoints/savepoint-1'
const image2 = (job: Parameters<typeof exampleSpec>[0] = {}) => exampleSpec({ image: 'fraud:2', ...job })
const lastState = { job: { upgradeMode: 'last-state' as const } }
const stateless = { job: { upgradeMode: 'stateless' as const } }
const noFallback = { operatorConfiguration: { 'kubernetes.operator.job.upgrade.last-state-fallback.enabled': 'false' } }
const notRunning = cluster({}, [job({ state: 'RESTARTING' })])

const FIRST: Story[] = [
  {
    it: 'deploys a new one, for which the finalizer comes first; nonces that are set ask for nothing',
    facts: facts({ hasFinalizer: false, wanted: known(exampleSpec({ job: { savepointTriggerNonce: 5 } })) }),
    decides: {
      step: 'DEPLOYED',
      plan: 'generation 1, 3×4 for 12',
      restore: '1: latest or empty',
      acts: ['addFinalizer'],
      events: ['Submit'],
    },
  },
  {
    it: 'begins with the savepoint that is named, or not at all',
    facts: facts({ wanted: known(exampleSpec({ job: { initialSavepointPath: P1 } })) }),
    decides: { restore: `1: ${P1}` },
  },
  {
    it: 'does nothing for one that is suspended from the start',
    facts: facts({ wanted: known(exampleSpec({ job: { state: 'suspended' } })) }),
    decides: { step: 'CREATED', acts: [], events: [] },
  },
  {
    it: 'does nothing for a spec that is not valid',
    facts: facts({ wanted: { invalid: ['spec.job.artifact: is missing'] }, hasFinalizer: false }),
    decides: { step: 'CREATED', acts: [], events: [] },
  },
  {
    it: 'waits until the children of a predecessor of its name are gone',
    facts: facts({ leftovers: ['Deployment fraud-jobmanager'] }),
    decides: { step: 'CREATED', waiting: 'PredecessorLeaves' },
  },
  {
    it: 'goes on where the Lease says that there have been generations, though its status is lost',
    facts: facts({ lease: { restore: { generation: 7, from: 'latest', neverEmpty: true } } }),
    decides: { plan: 'generation 8, 3×4 for 12', restore: '8: latest' },
  },
  {
    it: 'starts a session cluster',
    facts: facts({ wanted: known(sessionSpec()) }),
    decides: { step: 'DEPLOYED', plan: 'generation 1, 3×4 for undefined' },
  },
  {
    it: 'divides slots by replicas where none are said: 8 on 4 are 2 each',
    facts: facts({
      wanted: known(
        exampleSpec({
          job: { parallelism: 8 },
          taskManager: { ...exampleSpec().taskManager, replicas: 4, slots: undefined },
        }),
      ),
    }),
    decides: { plan: 'generation 1, 4×2 for 8' },
  },
]

const UPGRADES: Story[] = [
  {
    it: 'leaves what is as it is to be',
    facts: running(exampleSpec()),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 3×4 for 12', acts: [], events: [] },
  },
  {
    it: 'stops the job with a savepoint, and tells a JobManager that is started again meanwhile what it told it before',
    facts: running(image2()),
    decides: {
      step: 'STOPPING',
      restore: '3: s3://bucket/savepoints/savepoint-0',
      acts: ['stopWithSavepoint'],
      events: ['Stopping'],
      plan: 'generation 3, 3×4 for 12',
    },
  },
  {
    it: 'last-state: the next generation goes on from the newest checkpoint, at least the one that was seen',
    facts: running(image2(lastState)),
    decides: {
      step: 'DEPLOYED',
      plan: 'generation 4, 3×4 for 12',
      restore: '4: latest ≥ 41',
      acts: [],
      events: ['Submit'],
    },
  },
  {
    it: 'stateless: begins with nothing',
    facts: running(image2(stateless)),
    decides: { step: 'DEPLOYED', plan: 'generation 4, 3×4 for 12', restore: '4: empty or empty' },
  },
  {
    it: 'savepoint, of a job that does not run: from the newest checkpoint',
    facts: running(image2(), { cluster: notRunning }),
    decides: { step: 'DEPLOYED', restore: '4: latest ≥ 41' },
  },
  {
    it: 'savepoint, of a job that does not run, and without the way out: waits',
    facts: running(image2(noFallback), { cluster: notRunning }),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 3×4 for 12', waiting: 'JobNotRunning' },
  },
  {
    it: 'savepoint, and no JobManager answers: from the newest checkpoint',
    facts: running(image2(), { cluster: undefined! }),
    decides: { step: 'DEPLOYED', restore: '4: latest ≥ 41' },
  },
  {
    it: 'a job that has never run is begun again as it was to begin, in its generation',
    facts: running(image2(), { record: ran(exampleSpec(), { begun: false }), cluster: cluster({}, []) }),
    decides: { plan: 'generation 3, 3×4 for 12', restore: '3: s3://bucket/savepoints/savepoint-0' },
  },
  {
    it: 'last-state without a checkpoint that is known: the same generation goes on from what there is',
    facts: running(image2(lastState), { record: without(ran()), cluster: cluster({}, [without(job())]) }),
    decides: { plan: 'generation 3, 3×4 for 12', restore: '3: s3://bucket/savepoints/savepoint-0' },
  },
  {
    it: 'last-state with a limit for the age of checkpoints: a savepoint where the newest is too old',
    facts: running(
      image2({
        ...lastState,
        operatorConfiguration: { 'kubernetes.operator.job.upgrade.last-state.max.allowed.checkpoint.age': '10 s' },
      }),
    ),
    decides: { step: 'STOPPING' },
  },
  {
    it: 'a job that was stopped with a savepoint by hand goes on from that',
    facts: running(image2(), {
      cluster: cluster({}, [job({ state: 'FINISHED', latestSavepoint: { path: P1, time: NOW } })]),
    }),
    decides: { restore: `4: ${P1}` },
  },
  {
    it: 'a job that has failed goes on from its newest checkpoint',
    facts: running(image2(), { cluster: cluster({}, [job({ state: 'FAILED' })]) }),
    decides: { restore: '4: latest ≥ 41' },
  },
  {
    it: 'a JobManager of an older generation says nothing of this one',
    facts: running(image2(), { cluster: cluster({ generation: 2 }), record: ran(exampleSpec(), { begun: false }) }),
    decides: { plan: 'generation 3, 3×4 for 12', restore: '3: s3://bucket/savepoints/savepoint-0' },
  },
  {
    it: 'restartNonce restarts by the upgrade mode',
    facts: running(exampleSpec({ restartNonce: 1 })),
    decides: { step: 'STOPPING' },
  },
  {
    it: 'taking the restartNonce away does nothing',
    facts: running(exampleSpec(), {}, exampleSpec({ restartNonce: 1 })),
    decides: { step: 'DEPLOYED', acts: [], events: [] },
  },
  {
    it: 'savepointRedeployNonce begins from the savepoint that is named, whatever the job does',
    facts: running(exampleSpec({ job: { savepointRedeployNonce: 1, initialSavepointPath: P1 } })),
    decides: { step: 'DEPLOYED', plan: 'generation 4, 3×4 for 12', restore: `4: ${P1}` },
  },
  {
    it: 'allowNonRestoredState does nothing by itself',
    facts: running(exampleSpec({ job: { allowNonRestoredState: true } })),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 3×4 for 12', events: [] },
  },
  {
    it: 'a session cluster is begun again, with what it has kept',
    facts: running({ ...sessionSpec(), image: 'fraud:2' }, { record: ran(sessionSpec()) }, sessionSpec()),
    decides: { step: 'DEPLOYED', plan: 'generation 4, 3×4 for undefined', restore: '4: latest or empty' },
  },
  {
    it: 'a spec that is not valid changes nothing of what runs',
    facts: running(exampleSpec(), { wanted: { invalid: ['spec.job.args: must be a list'] } }),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 3×4 for 12', acts: [], events: [] },
  },
  {
    it: 'a spec that cannot go on from the state is taken back: the one before goes on from it',
    facts: running(image2(), {
      kept: known(image2()),
      previous: known(exampleSpec()),
      record: ran(image2(), { begun: false, previous: known(exampleSpec()).revision, checkpoint: undefined! }),
      cluster: cluster({}, [
        without(job({ state: 'FAILED', exception: { code: 'TR-CHECKPOINT-004', message: 'Cannot restore "count"' } })),
      ]),
    }),
    decides: {
      plan: 'generation 4, 3×4 for 12',
      restore: '4: s3://bucket/savepoints/savepoint-0',
      events: ['RestoreFailed', 'Submit'],
    },
  },
  {
    it: 'and it stays so until it is edited',
    facts: running(image2(), {
      record: ran(exampleSpec(), { refused: { revision: known(image2()).revision, message: 'x' } }),
    }),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 3×4 for 12', events: [] },
  },
]

const stopId = 'b'.repeat(32)
const stop = { triggerId: stopId, jobId: JOB_ID, sinceMs: NOW - 5_000 }
const stoppingRecord = ran(exampleSpec(), { step: 'STOPPING', stop })
const stopping = (
  operation: Facts['operations'][string] | undefined,
  changes: Partial<Facts> = {},
  wanted = image2(),
) => running(wanted, { record: stoppingRecord, operations: operation ? { [stopId]: operation } : {}, ...changes })

const STOPS: Story[] = [
  {
    it: 'asks again where the JobManager does not know of it',
    facts: stopping(undefined),
    decides: { step: 'STOPPING', acts: ['stopWithSavepoint'] },
  },
  {
    it: 'waits while it is taken',
    facts: stopping({ state: 'IN_PROGRESS' }),
    decides: { step: 'STOPPING', acts: [], waiting: 'TakingSavepoint' },
  },
  {
    it: 'begins the next generation from it',
    facts: stopping({ state: 'COMPLETED', location: P1 }),
    decides: { step: 'DEPLOYED', plan: 'generation 4, 3×4 for 12', restore: `4: ${P1}`, events: ['Submit'] },
  },
  {
    it: 'begins what is wanted by then',
    facts: stopping(
      { state: 'COMPLETED', location: P1 },
      {},
      exampleSpec({ image: 'fraud:3', job: { parallelism: 4 } }),
    ),
    decides: { plan: 'generation 4, 3×4 for 4' },
  },
  {
    it: 'suspends instead, when that is wanted by then',
    facts: stopping({ state: 'COMPLETED', location: P1 }, {}, image2({ job: { state: 'suspended' } })),
    decides: { step: 'SUSPENDED', plan: 'generation 3, no pods', restore: `4: ${P1}`, acts: ['deleteWorkloads'] },
  },
  {
    it: 'lets the job go on when it fails, and tries again later',
    facts: stopping({ state: 'FAILED', message: 'the bucket is gone' }),
    decides: {
      step: 'DEPLOYED',
      plan: 'generation 3, 3×4 for 12',
      restore: '3: s3://bucket/savepoints/savepoint-0',
      acts: [],
      events: ['SavepointFailed'],
      waiting: 'SavepointFailed',
    },
  },
  {
    it: 'finds the savepoint of a job that has ended, though the JobManager that took it is gone',
    facts: stopping(undefined, {
      cluster: cluster({}, [
        job({ state: 'FINISHED', latestSavepoint: { path: P1, time: NOW - 1, triggerId: stopId } }),
      ]),
    }),
    decides: { step: 'DEPLOYED', restore: `4: ${P1}` },
  },
  {
    it: 'waits for a JobManager that says nothing',
    facts: stopping(undefined, { cluster: undefined! }),
    decides: { step: 'STOPPING', waiting: 'JobManagerSilent', acts: [] },
  },
  {
    it: 'but not for ever: from the newest checkpoint',
    facts: stopping(undefined, {
      cluster: undefined!,
      record: { ...stoppingRecord, stop: { ...stop, sinceMs: NOW - 61_000 } },
    }),
    decides: { step: 'DEPLOYED', restore: '4: latest ≥ 41' },
  },
  {
    it: 'but not for ever: back to what ran, without the way out',
    facts: stopping(
      undefined,
      { cluster: undefined!, record: { ...stoppingRecord, stop: { ...stop, sinceMs: NOW - 61_000 } } },
      image2(noFallback),
    ),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 3×4 for 12', restore: '3: s3://bucket/savepoints/savepoint-0' },
  },
  {
    it: 'does not wait for a job that does not run when the mode has become last-state',
    facts: stopping(undefined, { cluster: notRunning }, image2(lastState)),
    decides: { step: 'DEPLOYED', restore: '4: latest ≥ 41' },
  },
]

const suspendedSpec = exampleSpec({ job: { state: 'suspended' } })
const suspendedRecord = ran(suspendedSpec, {
  step: 'SUSPENDED',
  restore: { generation: 4, from: P1, neverEmpty: true },
})
const atRest = { cluster: undefined!, jobManager: undefined!, taskManager: undefined! }
const SUSPENSIONS: Story[] = [
  {
    it: 'stops with a savepoint',
    facts: running(suspendedSpec),
    decides: { step: 'STOPPING', acts: ['stopWithSavepoint'] },
  },
  {
    it: 'last-state: ends the pods, and goes on from the newest checkpoint later',
    facts: running(exampleSpec({ job: { state: 'suspended', upgradeMode: 'last-state' } })),
    decides: {
      step: 'SUSPENDED',
      plan: 'generation 3, no pods',
      restore: '4: latest ≥ 41',
      acts: ['deleteWorkloads'],
      events: ['Suspended'],
    },
  },
  {
    it: 'stays suspended, also with another image',
    facts: running({ ...suspendedSpec, image: 'fraud:2' }, { record: suspendedRecord, ...atRest }, suspendedSpec),
    decides: { step: 'SUSPENDED', plan: 'generation 3, no pods', acts: [], events: [] },
  },
  {
    it: 'resumes from there',
    facts: running(exampleSpec(), { record: suspendedRecord, ...atRest }, suspendedSpec),
    decides: { step: 'DEPLOYED', plan: 'generation 4, 3×4 for 12', restore: `4: ${P1}` },
  },
  {
    it: 'resumes with nothing where that is asked for',
    facts: running(exampleSpec(stateless), { record: suspendedRecord, ...atRest }, suspendedSpec),
    decides: { step: 'DEPLOYED', restore: '4: empty or empty' },
  },
]

const nonce = (value: number, more: Parameters<typeof exampleSpec>[0] = {}) =>
  exampleSpec({ ...more, job: { savepointTriggerNonce: value, ...more.job } })
const nonceId = triggerIdOf(facts().identity.uid, 'savepoint:5')
const pending = { savepoint: { nonce: 5, triggerId: nonceId, jobId: JOB_ID, sinceMs: NOW - 1_000 } }
const TASKS_START: Operation = { state: 'FAILED', message: 'TR-CHECKPOINT-001 Cannot take a savepoint: 0 of 4 run' }
const again = (notBeforeMs: number) => ({ ...pending.savepoint, triggerId: 'b'.repeat(32), attempt: 1, notBeforeMs })
const taking = (wanted = nonce(5), operation?: Facts['operations'][string], changes: Partial<Facts> = {}) =>
  running(wanted, {
    record: ran(exampleSpec(), { pending }),
    operations: operation ? { [nonceId]: operation } : {},
    ...changes,
  })

const NONCES: Story[] = [
  {
    it: 'takes a savepoint',
    facts: running(nonce(5)),
    decides: { step: 'DEPLOYED', acts: ['triggerSavepoint'], plan: 'generation 3, 3×4 for 12' },
  },
  {
    it: 'takes a checkpoint',
    facts: running(exampleSpec({ job: { checkpointTriggerNonce: 1 } })),
    decides: { acts: ['triggerCheckpoint'] },
  },
  {
    it: 'waits until the job runs',
    facts: running(nonce(5), { cluster: notRunning }),
    decides: { acts: [], events: [] },
  },
  {
    it: 'asks again where the JobManager does not know of it',
    facts: taking(),
    decides: { acts: ['triggerSavepoint'] },
  },
  {
    it: 'waits while it is taken',
    facts: taking(nonce(5), { state: 'IN_PROGRESS' }),
    decides: { acts: [], events: [] },
  },
  {
    it: 'tells where it is',
    facts: taking(nonce(5), { state: 'COMPLETED', location: P1 }),
    decides: { acts: [], events: ['Savepoint'] },
  },
  {
    it: 'does not try again what has failed',
    facts: taking(nonce(5), { state: 'FAILED', message: 'x' }),
    decides: { acts: [], events: ['SavepointError'] },
  },
  {
    // `kubectl wait` returned when the job ran after a rescale, its tasks still started, and the savepoint asked for next was given up.
    it: 'asks again, a little later, where tasks of the job start',
    facts: taking(nonce(5), TASKS_START),
    decides: { acts: [], events: [] },
  },
  {
    it: 'asks again by another id when that is due',
    facts: taking(nonce(5), undefined, { record: ran(exampleSpec(), { pending: { savepoint: again(NOW) } }) }),
    decides: { acts: ['triggerSavepoint'] },
  },
  {
    it: 'asks not before it is due',
    facts: taking(nonce(5), undefined, { record: ran(exampleSpec(), { pending: { savepoint: again(NOW + 1) } }) }),
    decides: { acts: [] },
  },
  {
    it: 'gives up when tasks have not started for a minute',
    facts: taking(nonce(5), TASKS_START, {
      record: ran(exampleSpec(), { pending: { savepoint: { ...pending.savepoint, sinceMs: NOW - 60_000 } } }),
    }),
    decides: { acts: [], events: ['SavepointError'] },
  },
  {
    it: 'takes the newest of several',
    facts: taking(nonce(9), { state: 'COMPLETED', location: P1 }),
    decides: { acts: ['triggerSavepoint'], events: ['Savepoint'] },
  },
  {
    it: 'comes before an upgrade',
    facts: running(nonce(5, { image: 'fraud:2' })),
    decides: { step: 'DEPLOYED', acts: ['triggerSavepoint'], waiting: 'SnapshotFirst' },
  },
  {
    it: 'does not hold an upgrade up that may be what the job lacks',
    facts: taking(nonce(5, { image: 'fraud:2' }), undefined, { cluster: notRunning }),
    decides: { step: 'DEPLOYED', plan: 'generation 4, 3×4 for 12', acts: [] },
  },
  {
    it: 'is followed by the upgrade',
    facts: taking(nonce(5, { image: 'fraud:2' }), { state: 'COMPLETED', location: P1 }),
    decides: { step: 'STOPPING', acts: ['stopWithSavepoint'] },
  },
]

const replicas = (count: number) => exampleSpec({ taskManager: { ...exampleSpec().taskManager, replicas: count } })
const busy = (...ordinals: number[]) => {
  const byTaskManager = [0, 1, 2].map((at) => ({
    id: `fraud-taskmanager-${at}`,
    total: 4,
    free: ordinals.includes(at) ? 0 : 4,
  }))
  return cluster({ slots: { total: 12, free: 0, byTaskManager } })
}
const RESCALES: Story[] = [
  {
    it: 'more replicas: pods and parallelism at once',
    facts: running(replicas(6)),
    decides: { step: 'DEPLOYED', plan: 'generation 3, 6×4 for 24', events: ['Scaling'], acts: [] },
  },
  {
    it: 'fewer replicas: the job moves first',
    facts: running(replicas(2), { cluster: busy(0, 1, 2) }),
    decides: { plan: 'generation 3, 3×4 for 8' },
  },
  {
    it: 'fewer replicas: then the highest go',
    facts: running(replicas(1), { cluster: busy(0, 1) }),
    decides: { plan: 'generation 3, 2×4 for 4' },
  },
  {
    it: 'fewer replicas: until all that are to go are gone',
    facts: running(replicas(1), { cluster: busy(0) }),
    decides: { plan: 'generation 3, 1×4 for 4' },
  },
  {
    it: 'fewer replicas: nobody knows what is busy',
    facts: running(replicas(1), { cluster: undefined! }),
    decides: { plan: 'generation 3, 3×4 for 4' },
  },
  {
    it: 'another parallelism',
    facts: running(exampleSpec({ job: { parallelism: 6 } }), { cluster: busy(0, 1, 2) }),
    decides: { plan: 'generation 3, 3×4 for 6' },
  },
  {
    it: 'logging changes no pod',
    facts: running(exampleSpec({ logConfiguration: { 'log.json': '{}' } })),
    decides: { plan: 'generation 3, 3×4 for 12', events: [], acts: [] },
  },
]

const deletion = { sinceMs: NOW - 1_000, force: false }
const withSavepoint = exampleSpec({
  operatorConfiguration: { 'kubernetes.operator.job.savepoint-on-deletion': 'true' },
})
const deletionId = triggerIdOf(facts().identity.uid, 'stop:deletion')
const DELETIONS: Story[] = [
  {
    it: 'cancels the job',
    facts: running(exampleSpec(), { deletion }),
    decides: { step: 'DELETING', acts: ['cancel'], waiting: 'JobEnds' },
  },
  {
    it: 'then ends the pods',
    facts: running(exampleSpec(), { deletion, cluster: cluster({}, [job({ state: 'CANCELED' })]) }),
    decides: { acts: ['deleteWorkloads'], waiting: 'PodsLeave' },
  },
  {
    it: 'then lets it go',
    facts: running(exampleSpec(), { deletion, ...atRest }),
    decides: { acts: ['removeFinalizer'] },
  },
  {
    it: 'does not ask a JobManager that is not there',
    facts: running(exampleSpec(), { deletion, cluster: undefined! }),
    decides: { acts: ['deleteWorkloads'] },
  },
  {
    it: 'waits no longer than its deadline',
    facts: running(exampleSpec(), { deletion: { sinceMs: NOW - 61_000, force: false } }),
    decides: { acts: ['deleteWorkloads', 'removeFinalizer'], events: ['CleanupTimedOut'] },
  },
  {
    it: 'waits for nothing when it is forced',
    facts: running(exampleSpec(), { deletion: { ...deletion, force: true } }),
    decides: { acts: ['deleteWorkloads', 'removeFinalizer'], events: ['CleanupForced'] },
  },
  {
    it: 'takes a savepoint first where that is wanted',
    facts: running(withSavepoint, { deletion }, withSavepoint),
    decides: { acts: ['stopWithSavepoint'], waiting: 'TakingSavepoint' },
  },
  {
    it: 'tells where that is, and goes on',
    facts: running(
      withSavepoint,
      {
        deletion,
        record: ran(withSavepoint, { step: 'DELETING', stop: { ...stop, triggerId: deletionId } }),
        operations: { [deletionId]: { state: 'COMPLETED', location: P1 } },
        cluster: cluster({}, [job({ state: 'FINISHED' })]),
      },
      withSavepoint,
    ),
    decides: { acts: ['deleteWorkloads'], events: ['Savepoint'] },
  },
  {
    it: 'lets one go that was never valid',
    facts: facts({ deletion, wanted: { invalid: ['x'] } }),
    decides: { acts: ['removeFinalizer'] },
  },
  {
    it: 'does nothing for one that it does not hold',
    facts: facts({ deletion, hasFinalizer: false }),
    decides: { acts: [] },
  },
]

const pod = (name: string, changes: Partial<Facts['pods'][number]> = {}): Facts['pods'][number] => ({
  name,
  uid: `uid-${name}`,
  component: 'taskmanager',
  phase: 'Running',
  ready: true,
  createdMs: NOW - 600_000,
  containers: [],
  ...changes,
})
const template = decide(running(exampleSpec()), NOW).plan!
const wantedTemplate = templateOf(template)
const PODS: Story[] = [
  {
    it: 'replaces TaskManagers of another template, when the StatefulSet makes new ones',
    facts: running(exampleSpec(), {
      taskManager: { replicas: 3, ready: 3, settled: true, template: wantedTemplate },
      pods: [pod('tm-0', { template: 'old' }), pod('tm-1', { template: wantedTemplate })],
    }),
    decides: { acts: ['deletePod tm-0'] },
  },
  {
    it: 'not before',
    facts: running(exampleSpec(), {
      taskManager: { replicas: 3, ready: 3, settled: true, template: 'old' },
      pods: [pod('tm-0', { template: 'old' })],
    }),
    decides: { acts: [] },
  },
  {
    it: 'gives pods up whose node does not answer, after the time that they have to leave',
    facts: running(exampleSpec(), {
      deadNodes: new Set(['n2']),
      pods: [
        pod('tm-0', { node: 'n2', deletionMs: NOW - 1 }),
        pod('tm-1', { node: 'n2', deletionMs: NOW + 5_000 }),
        pod('tm-2', { node: 'n1', deletionMs: NOW - 1 }),
      ],
    }),
    decides: { acts: ['deletePod tm-0 force'] },
  },
  {
    it: 'gives pods up that were evicted for it, where nodes may not be asked for',
    facts: running(exampleSpec(), { pods: [pod('tm-0', { node: 'n2', deletionMs: NOW - 1, evicted: true })] }),
    decides: { acts: ['deletePod tm-0 force'] },
  },
]

describe('decide()', () => {
  for (const [name, stories] of Object.entries({
    'a new deployment': FIRST,
    'an upgrade': UPGRADES,
    'a stop with a savepoint': STOPS,
    'suspending and resuming': SUSPENSIONS,
    'a nonce': NONCES,
    'a rescale': RESCALES,
    'a deletion': DELETIONS,
    'a pod': PODS,
  })) {
    describe(name, () => {
      it.each(stories)('$it', (story) => {
        const before = structuredClone(story.facts.record)
        expect(told(decide(story.facts, NOW))).toMatchObject(story.decides)
        expect(story.facts.record).toEqual(before)
      })
    })
  }

  it('records a nonce with what came of it', () => {
    const failed = decide(taking(nonce(5), { state: 'FAILED', message: 'no bucket' }), NOW).record
    expect([failed.nonces, failed.pending, failed.snapshotFailure]).toEqual([
      { savepoint: 5 },
      {},
      { nonce: 5, message: 'no bucket', timeMs: NOW },
    ])
    const taken = decide(taking(nonce(5), { state: 'COMPLETED', location: P1 }), NOW).record
    expect(taken.savepoint).toEqual({ location: P1, timeMs: NOW, nonce: 5, kind: 'MANUAL' })
  })

  it.each([
    ['asked for', running(nonce(5))],
    ['being taken', taking(nonce(5), { state: 'IN_PROGRESS' })],
    ['to be asked for again', taking(nonce(5), TASKS_START)],
  ])('looks again after a savepoint that is %s', (_, given) => {
    expect(decide(given, NOW).againMs).toBeLessThanOrEqual(1_000)
  })

  it('waits longer after each savepoint that fails', () => {
    const first = decide(stopping({ state: 'FAILED', message: 'x' }), NOW)
    expect([first.againMs, first.record.retry?.attempts]).toEqual([10_000, 1])
    const still = running(image2(), { record: first.record })
    expect(told(decide(still, NOW + 9_000))).toMatchObject({ step: 'DEPLOYED', waiting: 'SavepointFailed' })
    const again = decide(still, NOW + 10_000)
    expect(again.record.step).toBe('STOPPING')
    expect(again.record.stop?.triggerId).not.toBe(decide(running(image2()), NOW).record.stop?.triggerId)
  })
})

function without<T extends object>(value: T): T {
  const {
    latestCheckpoint: _a,
    checkpoint: _b,
    ...rest
  } = value as T & { latestCheckpoint?: unknown; checkpoint?: unknown }
  return rest as T
}

function templateOf(plan: NonNullable<Decision['plan']>): string {
  const children = buildChildren(facts().identity, plan)
  return children.find(({ kind }) => kind === 'StatefulSet')!['spec'].template.metadata.annotations[
    'tailrace.dev/template'
  ]
}
