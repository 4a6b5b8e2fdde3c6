import { expect, it } from 'vitest'
import { directoryList, temporaryDirectory, workingDirectory } from './directories.ts'
import { ConfigValues } from './option.ts'
import { JOB_MANAGER, TASK_MANAGER } from './options/processes.ts'

const read = (values: Record<string, string>) => new ConfigValues(values, 'TR-CONFIG-001')

it.each([
  ['/a', ['/a']],
  [' /a , /b,,', ['/a', '/b']],
  ['/a|/b', ['/a', '/b']],
  ['/a:/b', ['/a', '/b']],
  ['', []],
])('directoryList(%j) is %j', (text, directories) => {
  expect(directoryList(text)).toEqual(directories)
})

it('of several temporary directories the first one is used, by either of the names', () => {
  expect(temporaryDirectory(read({}))).toBeUndefined()
  expect(temporaryDirectory(read({ 'io.tmp.dirs': '/a,/b' }))).toBe('/a')
  expect(temporaryDirectory(read({ 'taskmanager.tmp.dirs': '/c' }))).toBe('/c')
})

it('a working directory is that of the kind of process, of all processes, or where temporary files are', () => {
  const values: Record<string, string> = { 'io.tmp.dirs': '/tmp1,/tmp2' }
  const both = () => [TASK_MANAGER, JOB_MANAGER].map(({ workingDirectory: own }) => workingDirectory(read(values), own))
  expect(both()).toEqual(['/tmp1', '/tmp1'])
  values['process.working-dir'] = '/work'
  expect(both()).toEqual(['/work', '/work'])
  values['process.taskmanager.working-dir'] = '/tm'
  expect(both()).toEqual(['/tm', '/work'])
  expect(workingDirectory(read({}), TASK_MANAGER.workingDirectory)).toBeUndefined()
})
