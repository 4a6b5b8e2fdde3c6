import { expect, it } from 'vitest'
import { localRecovery } from './local-recovery.ts'

const BACKUP = 'execution.checkpointing.local-backup.enabled'
const FROM = 'execution.state-recovery.from-local'

it.each([
  ['of what is in S3', {}, 's3://b/c', { keeps: true, reads: true }],
  ['not of what is in a directory, which is as near', {}, '/checkpoints', { keeps: false, reads: true }],
  ['of a directory that is far away, when told so', { [BACKUP]: 'true' }, 'file:///nfs', { keeps: true, reads: true }],
  ['not when told so', { [BACKUP]: 'false' }, 's3://b/c', { keeps: false, reads: true }],
  ['without reading them', { [FROM]: 'false' }, 's3://b/c', { keeps: true, reads: false }],
  ['by the name of Flink 1.x', { 'state.backend.local-recovery': 'true' }, '/c', { keeps: true, reads: true }],
  ['not of what is in memory', { [BACKUP]: 'true' }, undefined, { keeps: false, reads: false }],
])('copies are kept %s', (_, options, directory, expected) => {
  expect(localRecovery(options as Record<string, string>, directory)).toEqual(expected)
})

it('refuses a value that cannot be read', () => {
  expect(() => localRecovery({ [BACKUP]: 'maybe' }, 's3://b/c')).toThrow(BACKUP)
})
