/** Reasons are what docs/kubernetes/operations.md says they are, and each is given by somebody. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CONDITION_TYPES } from '../../api/status.ts'
import { CONDITION_REASONS, EVENT_REASONS } from './reasons.ts'

const here = import.meta.dirname
const page = readFileSync(join(dirname(dirname(dirname(here))), 'docs/kubernetes/operations.md'), 'utf8')
const under = (heading: string) => page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!
/** Rows of the last table. */
const rows = (text: string) =>
  text
    .slice(text.lastIndexOf('|---|'))
    .split('\n')
    .filter((line) => line.startsWith('| '))

const sources = globSync('*.ts', { cwd: here })
  .filter((name) => !/\.(test|suite)\.ts$/.test(name) && name !== 'reasons.ts')
  .map((name) => readFileSync(join(here, name), 'utf8'))
  .join('\n')

describe('the page about operating', () => {
  it('has all reasons of conditions', () => {
    const wanted = Object.entries(CONDITION_REASONS).map(
      ([reason, { on, text }]) => `| \`${reason}\` | ${on.map((type) => `\`${type}\``).join(', ')} | ${text} |`,
    )
    expect(rows(under('Reasons'))).toEqual(wanted)
  })

  it('has all reasons of events', () => {
    const wanted = Object.entries(EVENT_REASONS).map(
      ([reason, [type, text]]) => `| \`${reason}\` | ${type} | ${text} |`,
    )
    expect(rows(under('Events'))).toEqual(wanted)
  })

  it('has all conditions', () => {
    const first = [
      ...under('Status')
        .split('| `status.`')[0]!
        .matchAll(/^\| `(\w+)` \|/gm),
    ].map(([, type]) => type)
    expect(first).toEqual(CONDITION_TYPES)
  })
})

it.each([...Object.keys(CONDITION_REASONS), ...Object.keys(EVENT_REASONS)])(
  'gives the reason %s somewhere',
  (reason) => {
    const isGiven = sources.includes(`'${reason}'`)
    expect(isGiven).toBe(true)
  },
)
