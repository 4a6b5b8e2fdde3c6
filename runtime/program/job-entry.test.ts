import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { jobEntry } from './job-entry.ts'
import { planOf } from './plan-of.ts'

it.each([
  ['jobs/fraud.mjs', { module: 'jobs/fraud.mjs' }],
  ['fraudJob', { main: 'fraudJob' }],
  ['jobs/fraud.ts#fraudJob', { module: 'jobs/fraud.ts', main: 'fraudJob' }],
  ['jobs/fraud', { module: 'jobs/fraud' }],
  ['com.example.Fraud', { module: 'com.example.Fraud' }],
  ['a#b', { module: 'a#b' }],
  ['', {}],
  [undefined, {}],
])('%j says %j', (text, wanted) => {
  expect(jobEntry(text)).toEqual(wanted)
})

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-entry-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

it('a function that a module exports is the job, and an unknown one is told with those that there are', async () => {
  const file = join(dir, 'jobs.mjs')
  const job = (name: string) => `async (env) => { env.fromElements(1).print(); await env.execute('${name}') }`
  writeFileSync(file, `export const fraud = ${job('fraud')}; export default ${job('standard')}; export const limit = 7`)
  const nameOf = async (main?: string) => {
    const program = { url: pathToFileURL(file).href, args: [], parameters: {}, options: {}, ...(main && { main }) }
    return (await planOf(program)).config.jobName
  }
  expect([await nameOf(), await nameOf('fraud'), await nameOf('default')]).toEqual(['standard', 'fraud', 'standard'])
  const code = 'TR-ARTIFACT-008'
  await expect(nameOf('limit')).rejects.toMatchObject({
    code,
    message: `Cannot run "limit" of the program "${file}": it exports no such function, wanted one of: default, fraud`,
  })
  await expect(nameOf('toString')).rejects.toMatchObject({ code })
})
