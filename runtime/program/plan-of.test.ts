/** The plan of a program that is not started. Programs are files, as a command has them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planOf } from './plan-of.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-plan-of-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

let files = 0
function plan(text: string) {
  const file = join(dir, `job-${files++}.ts`)
  writeFileSync(file, text)
  return planOf({
    url: pathToFileURL(file).href,
    args: [],
    parameters: { n: '3' },
    options: { 'pipeline.name': 'named' },
  })
}

describe('planOf()', () => {
  it('runs main to its first execute() and no further', async () => {
    const { config, vertices } = await plan(`
      import { StreamExecutionEnvironment } from 'tailrace'
      export default async function main(env) {
        const to = await env.once('to', () => Number(env.parameters.n))
        env.fromSequence(1, to).print()
        await env.execute()
        throw new Error('went on')
      }`)
    expect(config).toMatchObject({ jobName: 'named', parameters: { n: '3' } })
    expect(vertices.map((v) => v.name)).toEqual(['Source: Sequence Source -> Sink: Print to Std. Out'])
  })

  it.each([
    ['throws', "export default () => { throw new Error('no such table') }", 'TR-PROGRAM-002', 'no such table'],
    ['ends without execute()', 'export default async () => {}', 'TR-PROGRAM-003', 'without calling execute()'],
    ['does not parse', 'export default {', 'TR-PROGRAM-002', 'job-'],
    ['has a graph that cannot run', 'export default (env) => env.execute()', 'TR-GRAPH-003', 'it has no operators'],
  ])('says why there is none when main %s', async (_what, text, code, message) => {
    await expect(plan(text)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })
})
