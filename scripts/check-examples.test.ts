import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { typeErrors } from './check-docs.ts'
import { examples, examplesOf, outcomesOf, runnable } from './check-examples.ts'

const all = examples()

describe('examples of public symbols', () => {
  test('are found', () => {
    expect(all.length).toBeGreaterThan(25)
  })

  test('type-check', () => {
    expect(typeErrors(all)).toEqual([])
  })

  const withOutcome = all
    .filter(({ run }) => run)
    .map((example) => [`${example.page}:${example.line}`, example] as const)
  test.each(withOutcome)('%s gives what it says', async (_, example) => {
    const dir = mkdtempSync(join(tmpdir(), 'tailrace-example-'))
    try {
      const file = join(dir, 'example.ts')
      writeFileSync(file, runnable(example))
      const { outcomes } = (await import(pathToFileURL(file).href)) as { outcomes: [unknown, unknown][] }
      expect(outcomes.length).toBeGreaterThan(0)
      for (const [found, said] of outcomes) expect(found).toEqual(said)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})

describe('check-examples', () => {
  const text = '/**\n * Doubles.\n *\n * @example\n * twice(2) // 4\n * twice(x)\n */\nexport function twice() {}\n'

  test('examplesOf() finds them with their line', () => {
    const [example] = examplesOf('a.ts', text)
    expect(example).toMatchObject({ page: 'a.ts', line: 5, code: 'twice(2) // 4\ntwice(x)\n', run: true })
  })

  test('outcomesOf() takes literals for outcomes, and words for remarks', () => {
    expect(outcomesOf('a(1) // [1, 2]\nb() // the same\n// c\n')).toEqual([{ expression: 'a(1)', value: '[1, 2]' }])
  })
})
