import { describe, expect, test } from 'vitest'
import { count } from './run-tests.ts'

type Report = Parameters<typeof count>[0]

const file = (status: string, ...tests: Report['testResults'][0]['assertionResults'][0]['status'][]) => ({
  name: 'a.test.ts',
  status,
  assertionResults: tests.map((status) => ({ fullName: 'a test', status })),
})

describe('count()', () => {
  test.each<[string, Report['testResults'], boolean, boolean, { passed: number; failed: number }]>([
    ['counts tests', [file('passed', 'passed', 'passed')], true, false, { passed: 2, failed: 0 }],
    [
      'counts failed tests once, not their file',
      [file('failed', 'passed', 'failed')],
      false,
      false,
      { passed: 1, failed: 1 },
    ],
    [
      'counts a file that cannot be loaded',
      [file('passed', 'passed'), file('failed')],
      false,
      false,
      { passed: 1, failed: 1 },
    ],
    ['counts an error outside a test', [file('passed', 'passed')], false, false, { passed: 1, failed: 1 }],
    ['fails without tests', [], true, false, { passed: 0, failed: 1 }],
    ['lets tests be skipped', [file('passed', 'passed', 'skipped')], true, false, { passed: 1, failed: 0 }],
    [
      'lets none be skipped where all is required',
      [file('passed', 'passed', 'skipped')],
      true,
      true,
      { passed: 1, failed: 1 },
    ],
  ])('%s', (_, testResults, exitedWell, requireAll, expected) => {
    expect(count({ testResults }, exitedWell, requireAll)).toMatchObject(expected)
  })
})
