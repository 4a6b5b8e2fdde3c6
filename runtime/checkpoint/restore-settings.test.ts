import { expect, test } from 'vitest'
import { restoreSettings } from './restore-settings.ts'

test.each([
  [{}, undefined],
  [{ 'execution.state-recovery.path': ' ' }, undefined],
  [{ 'execution.state-recovery.ignore-unclaimed-state': 'true' }, undefined],
  [{ 'execution.state-recovery.path': '/sp' }, { path: '/sp', allowNonRestoredState: false, claimMode: 'NO_CLAIM' }],
  [
    {
      'execution.savepoint.path': 's3://b/sp',
      'execution.savepoint.ignore-unclaimed-state': 'TRUE',
      'execution.savepoint-restore-mode': 'claim',
    },
    { path: 's3://b/sp', allowNonRestoredState: true, claimMode: 'CLAIM' },
  ],
  [
    {
      'execution.state-recovery.path': '/sp',
      'execution.savepoint.path': '/sp',
      'execution.state-recovery.claim-mode': 'no-claim',
    },
    { path: '/sp', allowNonRestoredState: false, claimMode: 'NO_CLAIM' },
  ],
])('restoreSettings(%j)', (options, expected) => {
  const found = restoreSettings(options as Record<string, string>)
  expect(found).toEqual(expected && { ...expected, warnings: [] })
})

test('takes LEGACY for NO_CLAIM, and says so', () => {
  const found = restoreSettings({ 'execution.savepoint.path': '/sp', 'execution.savepoint-restore-mode': 'LEGACY' })
  expect(found).toMatchObject({ claimMode: 'NO_CLAIM' })
  expect(found!.warnings).toEqual([expect.stringContaining('execution.savepoint-restore-mode LEGACY is taken for')])
})

test.each([
  [
    { 'execution.state-recovery.path': '/a', 'execution.savepoint.path': '/b' },
    'Cannot use both execution.state-recovery.path "/a" and execution.savepoint.path "/b"',
  ],
  [
    { 'execution.state-recovery.ignore-unclaimed-state': 'yes' },
    'Cannot use "yes" for execution.state-recovery.ignore-unclaimed-state',
  ],
  [
    { 'execution.state-recovery.claim-mode': 'MINE' },
    'Cannot use "MINE" for execution.state-recovery.claim-mode: NO_CLAIM or CLAIM',
  ],
])('refuses %j', (options, text) => {
  expect(() => restoreSettings(options as unknown as Record<string, string>)).toThrow(
    expect.objectContaining({ code: 'TR-CHECKPOINT-006', message: expect.stringContaining(text) }),
  )
})
