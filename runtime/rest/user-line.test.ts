import { expect, test } from 'vitest'
import { errorToData } from '../core/errors.ts'
import { userLine } from './user-line.ts'

const at = (...frames: string[]) => ({
  code: 'TR-TASK-001' as const,
  message: 'x',
  stack: ['Error: x (or so)', ...frames.map((frame) => `    at ${frame}`)].join('\n'),
})

test('userLine() is the first frame outside Node, packages and the runtime', () => {
  const own = new URL('./server.ts', import.meta.url).href
  expect(
    userLine(
      at(
        'node:internal/process/task_queues:105:5',
        `process (${own}:7:1)`,
        'map (/app/node_modules/lodash/map.js:3:4)',
        'Array.map (<anonymous>)',
        'departed (file:///app/my%20job.ts?n=3:12:7)',
        'main (/app/other.ts:1:1)',
      ),
    ),
  ).toBe('/app/my job.ts:12:7')
  expect(userLine(at('async file:///app/job.ts:3:9'))).toBe('/app/job.ts:3:9')
  expect(userLine(at('async Promise.all (index 0)', `${own}:1:1`))).toBe(undefined)
})

test('userLine() looks into causes first, as they are nearer to the fault', () => {
  const outer = { ...at('a (/app/outer.ts:1:1)'), cause: at('b (/app/inner.ts:2:2)') }
  expect(userLine(outer)).toBe('/app/inner.ts:2:2')
  expect(userLine({ ...outer, cause: at('node:fs:1:1') })).toBe('/app/outer.ts:1:1')
})

test('userLine() shortens paths in the working directory', () => {
  expect(userLine(at(`f (${process.cwd()}/examples/job.ts:5:6)`))).toBe('examples/job.ts:5:6')
  expect(userLine(errorToData('no error'))).toBe(undefined)
})
