/** The scenario `quickstart` runs what a reader would, and nothing else. */
import { expect, it } from 'vitest'
import { commandsOf, fileOf, QUICKSTART } from './quickstart-page.ts'

it('takes the commands in their order, without what is given', () => {
  const page = ['<!-- given -->', '', '```sh', 'a', '```', 'text', '```sh', 'b', 'c', '```', '```text', 'd', '```', '']
  expect(commandsOf(page.join('\n'))).toEqual(['b\nc\n'])
})

it('finds the job and the commands of the page', () => {
  expect(fileOf(QUICKSTART, 'job.ts')).toContain('export default')
  const commands = commandsOf(QUICKSTART)
  expect(commands[0]).toMatch(/^helm install /)
  expect(commands.join('')).not.toContain('docker')
  expect(commands.at(-1)).toContain('helm uninstall')
  expect(() => fileOf(QUICKSTART, 'other.ts')).toThrow('other.ts')
})
