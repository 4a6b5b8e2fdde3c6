import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../core/errors.ts'
import { decideRetention } from './retention.ts'

describe('decideRetention()', () => {
  it.each([
    ['FINISHED', 'NO_EXTERNALIZED_CHECKPOINTS', undefined, 'delete'],
    ['FINISHED', 'DELETE_ON_CANCELLATION', undefined, 'delete'],
    ['FINISHED', 'RETAIN_ON_CANCELLATION', undefined, 'delete'],
    ['CANCELED', 'NO_EXTERNALIZED_CHECKPOINTS', undefined, 'delete'],
    ['CANCELED', 'DELETE_ON_CANCELLATION', undefined, 'delete'],
    ['CANCELED', 'RETAIN_ON_CANCELLATION', undefined, 'keep'],
    ['FAILED', 'NO_EXTERNALIZED_CHECKPOINTS', 'TR-TASK-001', 'delete'],
    ['FAILED', 'DELETE_ON_CANCELLATION', 'TR-TASK-001', 'keep'],
    ['FAILED', 'RETAIN_ON_CANCELLATION', 'TR-TASK-001', 'keep'],
    ['FAILED', 'NO_EXTERNALIZED_CHECKPOINTS', 'TR-CHECKPOINT-002', 'keep'],
    ['FAILED', 'NO_EXTERNALIZED_CHECKPOINTS', 'TR-CLUSTER-002', 'keep'],
  ] as const)('%s with %s (%s): %s', (status, retention, code: ErrorCode | undefined, what) => {
    expect(decideRetention({ status, retention, code, tookOne: true, isTold: false })).toBe(what)
  })

  it('keeps what a run found that failed before it took one itself', () => {
    const facts = { retention: 'NO_EXTERNALIZED_CHECKPOINTS', code: 'TR-CHECKPOINT-004' } as const
    const told = { ...facts, tookOne: false, isTold: false }
    expect(decideRetention({ status: 'FAILED', ...told })).toBe('keep')
    expect(decideRetention({ status: 'CANCELED', ...told })).toBe('delete')
  })

  it('keeps those of a job that has failed for the next generation of its deployment', () => {
    const facts = {
      retention: 'NO_EXTERNALIZED_CHECKPOINTS',
      code: 'TR-TASK-001',
      tookOne: true,
      isTold: true,
    } as const
    expect(decideRetention({ status: 'FAILED', ...facts })).toBe('keep')
    expect(decideRetention({ status: 'FINISHED', ...facts })).toBe('delete')
    expect(decideRetention({ status: 'CANCELED', ...facts })).toBe('delete')
  })
})
