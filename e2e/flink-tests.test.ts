import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FLINK_TESTS } from './flink-tests.ts'

const root = join(import.meta.dirname, '..')

it.each(FLINK_TESTS)('what $flink holds is held here', ({ ours, differs }) => {
  if (differs === undefined) expect(ours.length).toBeGreaterThan(0)
  for (const [file, title] of ours)
    expect(readFileSync(join(root, file), 'utf8').includes(`'${title}',`), `${file}: ${title}`).toBe(true)
})

it('each is told of once', () => {
  const names = FLINK_TESTS.map(({ flink }) => flink)
  expect(new Set(names).size).toBe(names.length)
})
