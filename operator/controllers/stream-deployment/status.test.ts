/** Conditions and the job as they are printed. */
import { describe, expect, it } from 'vitest'
import { streamDeploymentStatus } from '../../api/status.ts'
import { exampleSpec } from '../../resources/example.suite.ts'
import { decide } from './decide.ts'
import { cluster, facts, job, known, NOW, ran, running } from './facts.suite.ts'
import type { Facts } from './facts.ts'
import { lookAgainMs } from './look-again.ts'
import { CONDITION_REASONS, type ConditionReason } from './reasons.ts'
import { statusOf } from './status.ts'

const status = (given: Facts, before?: ReturnType<typeof statusOf>, nowMs = NOW) =>
  statusOf(given, decide(given, nowMs), before, nowMs)
const conditions = (given: Facts, nowMs = NOW) =>
  Object.fromEntries(
    status(given, undefined, nowMs).conditions!.map(({ type, status: is, reason }) => {
      expect(CONDITION_REASONS[reason as ConditionReason].on, reason).toContain(type)
      return [type, `${is} ${reason}`]
    }),
  )

describe('statusOf()', () => {
  it('says what is so of a job that runs', () => {
    expect(conditions(running(exampleSpec()))).toEqual({
      Ready: 'True Running',
      Progressing: 'False AtRest',
      Stalled: 'False NoTrouble',
      ConfigValid: 'True Valid',
      JobManagerAvailable: 'True Available',
      TaskManagersAvailable: 'True Available',
      CheckpointHealthy: 'True Completed',
      SnapshotSucceeded: 'Unknown NoneYet',
      Succeeded: 'Unknown NotFinished',
    })
  })

  it.each<[string, Facts, Record<string, string>]>([
    [
      'while it starts',
      facts(),
      { Ready: 'False JobManagerSilent', Progressing: 'True Starting', JobManagerAvailable: 'False Missing' },
    ],
    [
      'while it stops',
      running(exampleSpec({ image: 'fraud:2' })),
      { Ready: 'True Running', Progressing: 'True Upgrading' },
    ],
    [
      'when the job has failed',
      running(exampleSpec(), { cluster: cluster({}, [job({ state: 'FAILED' })]) }),
      { Ready: 'False Failed', Stalled: 'True JobFailed', Succeeded: 'False Failed' },
    ],
    [
      'when the job has finished',
      running(exampleSpec(), { cluster: cluster({}, [job({ state: 'FINISHED' })]) }),
      { Ready: 'False Finished', Succeeded: 'True Finished', Progressing: 'False AtRest' },
    ],
    [
      'when a spec is not valid',
      running(exampleSpec(), { wanted: { invalid: ['x'] } }),
      { Ready: 'True Running', ConfigValid: 'False Invalid' },
    ],
    [
      'when checkpoints are late',
      running(exampleSpec(), {
        record: ran(exampleSpec(), { checkpoint: { id: 41, path: 'x', timeMs: NOW - 200_000 } }),
        cluster: cluster({}, [job({ latestCheckpoint: { id: 41, path: 'x', time: NOW - 200_000 } })]),
      }),
      { CheckpointHealthy: 'False Late' },
    ],
    [
      'when state does not fit',
      running(exampleSpec({ image: 'fraud:2' }), {
        record: ran(exampleSpec(), {
          refused: { revision: known(exampleSpec({ image: 'fraud:2' })).revision, message: 'x' },
        }),
      }),
      { Ready: 'True Running', Stalled: 'True RestoreFailed' },
    ],
  ])('%s', (_when, given, wanted) => {
    expect(conditions(given)).toMatchObject(wanted)
  })

  it.each<[string, Facts, number]>([
    ['an edit that asks for nothing of the job', running(exampleSpec({ version: '1.2' })), 4],
    ['an upgrade that stops the job', running(exampleSpec({ image: 'fraud:2' })), 3],
    ['a rescale', running(exampleSpec({ taskManager: { ...exampleSpec().taskManager, replicas: 5 } })), 3],
    ['a spec that is not valid', running(exampleSpec(), { wanted: { invalid: ['x'] } }), 3],
  ])('is Ready for the generation that the job runs as, after %s', (_after, given, generation) => {
    const first = status(running(exampleSpec(), { resourceGeneration: 3 }))
    const ready = status(given, first).conditions!.find(({ type }) => type === 'Ready')
    expect(ready).toMatchObject({ status: 'True', observedGeneration: generation })
  })

  it('prints the job as the seeds do, by the schema', () => {
    const pending = { savepoint: { nonce: 5, triggerId: 'c'.repeat(32), jobId: job().id, sinceMs: NOW } }
    const record = ran(exampleSpec(), {
      savepoint: { location: 's3://b/savepoint-1', timeMs: NOW - 5, nonce: 4, kind: 'MANUAL' },
      pending,
    })
    const printed = status(running(exampleSpec({ job: { savepointTriggerNonce: 5 } }), { record }))
    expect(printed.jobStatus).toMatchObject({
      state: 'RUNNING',
      jobId: job().id,
      jobName: 'fraud',
      startTime: String(NOW - 600_000),
      parallelism: 12,
      savepointInfo: {
        lastSavepoint: {
          location: 's3://b/savepoint-1',
          timeStamp: NOW - 5,
          triggerNonce: 4,
          triggerType: 'MANUAL',
          formatType: 'CANONICAL',
        },
        triggerId: 'c'.repeat(32),
      },
      checkpointInfo: { lastCheckpoint: { id: 41, location: 's3://bucket/checkpoints/chk-41' } },
    })
    expect(streamDeploymentStatus.parse(printed)).toEqual(JSON.parse(JSON.stringify(printed)))
  })

  it('leaves the time of a condition whose status is as before', () => {
    const first = status(running(exampleSpec()))
    const later = status(
      running(exampleSpec(), { cluster: cluster({}, [job({ state: 'RESTARTING' })]) }),
      first,
      NOW + 60_000,
    )
    const time = (of: typeof first, type: string) => of.conditions!.find((one) => one.type === type)!.lastTransitionTime
    expect(time(later, 'ConfigValid')).toBe(time(first, 'ConfigValid'))
    expect(time(later, 'Ready')).not.toBe(time(first, 'Ready'))
    expect(later.jobStatus?.updateTime).toBe(String(NOW + 60_000))
  })

  it('says nothing longer than Kubernetes takes', () => {
    const text = '😀'.repeat(20_000)
    const failed = job({ state: 'FAILED', exception: { code: 'TR-JOB-001', message: text } })
    const given = running(exampleSpec({ job: { savepointTriggerNonce: 7 } }), {
      wanted: { invalid: [text] },
      cluster: cluster({}, [failed]),
    })
    const said = status(given)
    for (const { message } of said.conditions!) expect(Buffer.byteLength(message)).toBeLessThanOrEqual(32_768)
    const { error, jobStatus } = said
    for (const one of [error!, jobStatus!.exception!]) {
      expect(Buffer.byteLength(one)).toBeLessThanOrEqual(4_096)
      expect([one.isWellFormed(), one.endsWith('…')]).toEqual([true, true])
    }
  })

  it('keeps no long text in the record', () => {
    const message = 'x'.repeat(100_000)
    const pending = { savepoint: { nonce: 7, triggerId: 'c'.repeat(32), jobId: job().id, sinceMs: NOW } }
    const given = running(exampleSpec(), {
      record: ran(exampleSpec(), { pending }),
      operations: { ['c'.repeat(32)]: { state: 'FAILED', message } },
    })
    expect(JSON.stringify(status(given)).length).toBeLessThan(20_000)
  })

  it.each<[string, Facts, number]>([
    ['while it starts', facts(), 5_000],
    [
      'while nothing is to come',
      running(exampleSpec({ configuration: {} }), {}, exampleSpec({ configuration: {} })),
      Infinity,
    ],
    ['until the next checkpoint is late', running(exampleSpec()), 150_001],
  ])('is looked at again %s', (_, given, ms) => {
    const decision = decide(given, NOW)
    expect(lookAgainMs(given, decision, statusOf(given, decision, undefined, NOW), NOW)).toBe(ms)
  })

  it('says what the pods come to, and what is wrong', () => {
    expect(status(running(exampleSpec()))).toMatchObject({
      clusterInfo: { 'total-cpu': '7', 'total-memory': String((2 + 3 * 4) * 2 ** 30) },
      error: '',
      jobManagerDeploymentStatus: 'READY',
    })
    const retry = { revision: 'fraud-x', attempts: 1, notBeforeMs: NOW + 9, message: 'the store is full' }
    const wanted = exampleSpec({ image: 'fraud:2' })
    const waiting = running(wanted, {
      record: ran(exampleSpec(), { retry: { ...retry, revision: known(wanted).revision } }),
      jobManager: { replicas: 1, ready: 0, settled: true },
    })
    expect(status(waiting)).toMatchObject({ error: 'the store is full', jobManagerDeploymentStatus: 'DEPLOYING' })
    const suspended = exampleSpec({ job: { state: 'suspended' } })
    expect(
      status(running(suspended, { record: ran(suspended, { step: 'SUSPENDED' }) }, suspended)).clusterInfo,
    ).toEqual({
      'total-cpu': '0',
      'total-memory': '0',
    })
  })
})
