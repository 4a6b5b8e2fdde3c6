/** The judgement of the scenarios sees what is lost and what is doubled. */
import { expect, it } from 'vitest'
import { differences } from './stream.ts'

it.each([
  { what: 'nothing when all is there, in whatever order', found: ['b 1', 'a 1'], problems: [] },
  { what: 'a line that is lost', found: ['a 1'], problems: ['missing: b 1'] },
  { what: 'a line that is doubled', found: ['a 1', 'b 1', 'b 1'], problems: ['1 too many: b 1'] },
  { what: 'a line of state that began anew', found: ['a 1', 'a 1'], problems: ['1 too many: a 1', 'missing: b 1'] },
])('tells $what', ({ found, problems }) => {
  expect(differences(found, ['a 1', 'b 1']).sort()).toEqual(problems)
})
