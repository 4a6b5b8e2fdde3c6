import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MiniCluster } from '../runtime/testing/index.ts'
import { brokenLinks, filesOf, type Page, pages, type Snippet, snippetsOf, typeErrors } from './check-docs.ts'

const all = pages()
const snippets = all.flatMap(snippetsOf)

describe('the documentation', () => {
  test('has pages and snippets', () => {
    expect(all.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', 'docs/guide.md', 'docs/errors.md']),
    )
    expect(snippets.length).toBeGreaterThan(20)
  })

  test('type-checks, every snippet of it', () => {
    expect(typeErrors(snippets)).toEqual([])
  })

  test.each(all)('$path links to what is there', (page) => {
    expect(brokenLinks(page, all)).toEqual([])
  })
})

describe('jobs in the documentation', () => {
  let cluster: MiniCluster
  let dir: string
  const home = process.cwd()
  beforeAll(async () => {
    cluster = await MiniCluster.start({ slots: 1, host: 'worker' })
    dir = mkdtempSync(join(tmpdir(), 'tailrace-docs-'))
    process.chdir(dir)
  })
  afterAll(async () => {
    process.chdir(home)
    rmSync(dir, { recursive: true, force: true })
    await cluster.stop()
  })

  const jobs = snippets.filter(({ run }) => run).map((snippet) => [`${snippet.page}:${snippet.line}`, snippet] as const)
  test.each(jobs)('%s runs', async (_, snippet: Snippet) => {
    const page = all.find(({ path }) => path === snippet.page)!
    for (const [name, content] of filesOf(page)) writeFileSync(join(dir, name), content)
    const file = join(dir, `job-${snippet.line}.ts`)
    writeFileSync(file, snippet.code)
    const { printed, results } = await cluster.runProgram(file)
    expect(results.length).toBeGreaterThan(0)
    if (snippet.printed !== undefined) expect(printed).toEqual(snippet.printed)
  })
})

describe('tests in the documentation', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tailrace-docs-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  symlinkSync(join(import.meta.dirname, '../node_modules'), join(dir, 'node_modules'), 'junction')
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  for (const [i, { page, line, code }] of snippets.filter((snippet) => snippet.test === true).entries()) {
    const file = join(dir, `${i}.ts`)
    writeFileSync(file, code)
    // Its tests become tests of this file.
    describe(`${page}:${line}`, async () => {
      await import(pathToFileURL(file).href)
    })
  }
})

describe('check-docs', () => {
  const page = (text: string): Page => ({ path: 'docs/page.md', text })

  test('snippetsOf() finds blocks with their line, mark and output', () => {
    const text =
      '# Page\n\n```ts run\nlet a = 1\n```\n\n```text\none\ntwo\n```\n\n```sh\nls\n```\n\n```ts test\nb\n```\n'
    expect(snippetsOf(page(text))).toEqual([
      { page: 'docs/page.md', line: 4, code: 'let a = 1\n', run: true, printed: ['one', 'two'] },
      { page: 'docs/page.md', line: 17, code: 'b\n', run: false, test: true, printed: undefined },
    ])
  })

  test('filesOf() gives what jobs read', () => {
    expect(filesOf(page('<!-- file a.txt\nx\ny\n-->\n'))).toEqual(new Map([['a.txt', 'x\ny\n']]))
  })

  test('typeErrors() names the line of the page', () => {
    const wrong = {
      page: 'docs/page.md',
      line: 10,
      code: 'const n = 1\nconst s: string = n\n',
      run: false,
      printed: undefined,
    }
    expect(typeErrors([wrong])).toEqual([expect.stringMatching(/^docs\/page\.md:11:7: error TS2322/)])
  })

  test('brokenLinks() looks for files and headings', () => {
    const target = { path: 'docs/other.md', text: '## One & two\n' }
    const links = page('[a](other.md#one--two) [b](other.md#three) [c](gone.md) [d](https://x) [e](../README.md)\n')
    expect(brokenLinks(links, [links, target])).toEqual(['other.md#three', 'gone.md'])
  })
})
