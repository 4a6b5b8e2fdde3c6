/**
 * Holds the code in the documentation to what works: README.md and docs/.
 *
 * Why it exists: a snippet that does not compile costs a reader more than none. What must hold:
 * - every `ts` block type-checks, each as a module of its own, with the names of docs/snippets.d.ts given;
 * - a block that is marked `ts run` is a whole job: it runs, and prints what the `text` block after it says, if there is one;
 * - a block that is marked `ts test` is a file of tests, and they pass;
 * - links between the pages, and to headings in them, lead somewhere.
 *
 * A job that reads a file gets it from a comment in the page: `<!-- file book.txt`, its lines, `-->`. check-docs.test.ts is where it runs.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'

const root = dirname(import.meta.dirname)

/** Notes on decisions are history, and benchmarks are made by a program. */
const NOT_CHECKED = /^docs\/(decisions\/|benchmarks\.md$)/

export interface Page {
  /** Path from the checkout's root, with slashes. */
  path: string
  text: string
}

export interface Snippet {
  page: string
  /** Of its first line in the page, from 1. */
  line: number
  code: string
  /** Imports that it does without; on the code's first line, so that lines stay where they are. */
  imports?: string
  run: boolean
  /** It is a file of tests. */
  test?: boolean
  /** What it prints, if the page says so. */
  printed: string[] | undefined
}

/** The pages that are checked. */
export function pages(): Page[] {
  const paths = globSync(['README.md', 'docs/**/*.md'], { cwd: root }).map((path) => path.replaceAll('\\', '/'))
  return paths
    .filter((path) => !NOT_CHECKED.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const FENCE = /^```(\w*)(.*)\n([\s\S]*?)^```$/gm

/** The TypeScript blocks of a page. */
export function snippetsOf({ path, text }: Page): Snippet[] {
  const blocks = [...text.matchAll(FENCE)]
  return blocks.flatMap((block, i) => {
    const [whole, language, marks, code] = block
    if (language !== 'ts') return []
    const next = blocks[i + 1]
    const follows = next?.[1] === 'text' && /^\s*$/.test(text.slice(block.index + whole.length, next.index))
    return {
      page: path,
      line: text.slice(0, block.index).split('\n').length + 1,
      code,
      run: marks.trim() === 'run',
      ...(marks.trim() === 'test' && { test: true }),
      printed: follows ? next[3].trimEnd().split('\n') : undefined,
    }
  })
}

/** Files that the jobs of a page read: name to content. */
export function filesOf({ text }: Page): Map<string, string> {
  return new Map([...text.matchAll(/^<!-- file (\S+)\n([\s\S]*?)^-->$/gm)].map(([, name, content]) => [name, content]))
}

/** What tsc says of the snippets, each line with its place in the page; empty when all is well. */
export function typeErrors(snippets: readonly Snippet[]): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'tailrace-docs-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'junction')
    snippets.forEach(({ code, imports = '' }, i) => {
      writeFileSync(join(dir, `${i}.ts`), `${imports}${code}\nexport {}\n`)
    })
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: true,
        rootDir: '/',
        noImplicitOverride: false,
        verbatimModuleSyntax: false,
        rewriteRelativeImportExtensions: false,
      },
      files: [join(root, 'docs/snippets.d.ts'), ...snippets.map((_, i) => `${i}.ts`)],
      include: [],
    }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(config))
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout, stderr, status } = spawnSync(process.execPath, [tsc, '-p', dir], { cwd: dir, encoding: 'utf8' })
    if (status === 0) return []
    const lines = `${stdout}${stderr}`.split('\n').filter(Boolean)
    return lines.map((text) =>
      text.replace(/^(\d+)\.ts\((\d+),(\d+)\)/, (_, i, line, column) => {
        const { page, line: first } = snippets[Number(i)]
        return `${page}:${first + Number(line) - 1}:${column}`
      }),
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Links of a page that lead nowhere: to a file that is not there, or a heading that the file does not have. */
export function brokenLinks(page: Page, all: readonly Page[]): string[] {
  const text = page.text.replace(FENCE, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => {
      if (/^[a-z]+:/.test(target)) return false
      const [file, heading] = target.split('#')
      const path =
        file === '' ? page.path : relative(root, resolve(root, dirname(page.path), file)).replaceAll('\\', '/')
      const found = all.find((one) => one.path === path)
      if (heading !== undefined) return found === undefined || !headingsOf(found).has(heading)
      return found === undefined && globSync(path, { cwd: root }).length === 0
    })
}

/** Anchors of a page, as GitHub makes them. */
function headingsOf({ text }: Page): Set<string> {
  const headings = [...text.replace(FENCE, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}
