import { describe, expect, it } from 'vitest'
import { commandConfiguration } from './configuration.ts'

async function run(D: Record<string, string>, environment: Record<string, string> = {}, how: { quiet?: boolean } = {}) {
  const said: string[] = []
  const around = { environment, cwd: '/nowhere', error: (text: string) => void said.push(text) }
  return { values: await commandConfiguration({ D }, around, how), said }
}

describe('commandConfiguration()', () => {
  const D = { 'my.key': 'a', 'state.checkpoints.dir': '/b' }

  it('tells what somebody should know', async () => {
    expect(await run(D)).toEqual({
      values: { 'my.key': 'a', 'execution.checkpointing.dir': '/b' },
      said: ['! my.key (-D) is not known\n'],
    })
  })

  it('tells everything with TAILRACE_DEBUG', async () => {
    const { said } = await run(D, { TAILRACE_DEBUG: '1' }, { quiet: true })
    expect(said).toEqual([
      '! my.key (-D) is not known\n',
      '· state.checkpoints.dir (-D) is an older name of execution.checkpointing.dir\n',
    ])
  })

  it('tells nothing when it is only asked where a cluster is', async () => {
    expect((await run(D, {}, { quiet: true })).said).toEqual([])
  })
})
