import { describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from './errors.ts'
import { userFrame, userFrameOf } from './user-frame.ts'

const own = (path: string) => new URL(`../${path}`, import.meta.url).href

describe('userFrame()', () => {
  it.each([
    ['a function', `Error: x\n    at f (file:///home/ann/job.ts:3:7)`, '/home/ann/job.ts', 3, 7],
    ['the top level', `Error: x\n    at file:///home/ann/job.ts:3:7`, '/home/ann/job.ts', 3, 7],
    ['an async function', `Error: x\n    at async main (/home/ann/job.ts:3:7)`, '/home/ann/job.ts', 3, 7],
    ['a path with brackets', `Error: x\n    at f (/home/ann (old)/job.ts:3:7)`, '/home/ann (old)/job.ts', 3, 7],
    ['a path that is encoded', `Error: x\n    at f (file:///home/my%20jobs/job.ts:3:7)`, '/home/my jobs/job.ts', 3, 7],
    ['a copy of a module', `Error: x\n    at f (file:///home/ann/job.ts?run=1:3:7)`, '/home/ann/job.ts', 3, 7],
    [
      'a module that is no JavaScript',
      `file:///home/ann/job.js:3\nconst = 1\n   ^\nSyntaxError: x`,
      '/home/ann/job.js',
      3,
      1,
    ],
    [
      'what lies below the library and Node',
      [
        'Error: x',
        '    at node:internal/process:1:1',
        '    at process (node:internal/x:1:1)',
        `    at process (${own('operators/map.ts')}?n=3:10:2)`,
        '    at f (/home/ann/node_modules/lib/a.js:1:1)',
        '    at g (/home/ann/job.ts:9:1)',
      ].join('\n'),
      '/home/ann/job.ts',
      9,
      1,
    ],
  ])('finds %s', (_, stack, file, line, column) => {
    expect(userFrame(stack)).toEqual({ file, line, column })
  })

  it('finds nothing where no user is', () => {
    expect(userFrame(undefined)).toBeUndefined()
    expect(userFrame(`Error: x\n    at f (${own('operators/map.ts')}:10:2)`)).toBeUndefined()
  })
})

describe('userFrameOf()', () => {
  it('takes the innermost cause that has one', () => {
    const inner = Object.assign(new Error('x'), { stack: 'Error: x\n    at f (/home/ann/job.ts:3:7)' })
    const error = new TailraceError('TR-TASK-001', 'y', { cause: inner })
    error.stack = 'Error: y\n    at f (/home/ann/other.ts:1:1)'
    expect(userFrameOf(errorToData(error))).toMatchObject({ file: '/home/ann/job.ts' })
    inner.stack = ''
    expect(userFrameOf(errorToData(error))).toMatchObject({ file: '/home/ann/other.ts' })
  })
})
