/**
 * Holds the `@example`s of public symbols to what works: they type-check, and where one says what comes out (`durationMs('5 min') // 300000`),
 * that comes out.
 *
 * Why it exists: editors show these first. An example takes the names of docs/snippets.d.ts and all that the package's doors export as
 * given, imports included. Public is what a door exports, and what stands in the same file.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { parseSync } from 'vite'
import type { Snippet } from './check-docs.ts'

const root = dirname(import.meta.dirname)
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** Specifier of each door to the path of its source. */
function doors(): Map<string, string> {
  const { name, exports } = JSON.parse(read('package.json')) as { name: string; exports: Record<string, any> }
  const entries = Object.entries(exports).filter(([, target]) => typeof target === 'object')
  return new Map(
    entries.map(([door, target]) => [
      name + door.slice(1),
      (target.default as string).replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts'),
    ]),
  )
}

/** What a file exports, each name with the file that it is taken from, if it is another one. */
function exportsOf(path: string): { name: string; from: string | undefined }[] {
  return parseSync(path, read(path)).module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ exportName, moduleRequest }) => {
      if (exportName.name === null) return []
      const from = moduleRequest?.value
      return [{ name: exportName.name, from: from && posix.join(posix.dirname(path), from) }]
    }),
  )
}

/** The examples of everything public. */
export function examples(): Snippet[] {
  const names = new Map<string, string>()
  const files = new Set<string>()
  for (const [specifier, path] of doors()) {
    files.add(path)
    for (const { name, from } of exportsOf(path)) {
      if (!names.has(name)) names.set(name, specifier)
      if (from !== undefined) files.add(from)
    }
  }
  return [...files].flatMap((path) => {
    const known = new Map([...exportsOf(path).map(({ name }) => [name, join(root, path)] as const), ...names])
    return examplesOf(path, read(path)).map((example) => ({ ...example, imports: importsFor(example.code, known) }))
  })
}

/** The `@example`s in a file's doc comments: from the tag to the end of the comment. */
export function examplesOf(path: string, text: string): Snippet[] {
  return [...text.matchAll(/^ *\* @example *\n((?: *\*(?!\/).*\n)+) *\*\//gm)].map((match) => {
    const code = match[1].replace(/^ *\* ?/gm, '')
    const [printed, before] = [undefined, text.slice(0, match.index)]
    return { page: path, line: before.split('\n').length + 1, code, run: outcomesOf(code).length > 0, printed }
  })
}

/** Imports of the known names that the code uses and does not make itself. */
function importsFor(code: string, known: ReadonlyMap<string, string>): string {
  const words = new Set(code.replace(/'[^'\n]*'|\/\/.*$/gm, '').match(/(?<![.#\w])[A-Za-z]\w*/g))
  return [...words]
    .filter((word) => known.has(word) && !new RegExp(`(const|class|function|interface) ${word}\\b`).test(code))
    .map((word) => `import { ${word} } from '${known.get(word)}'; `)
    .join('')
}

/** Lines that say what comes out: the expression, and the literal. */
export function outcomesOf(code: string): { expression: string; value: string }[] {
  return code.split('\n').flatMap((line) => {
    const [, expression, value] = /^(\S.*?) +\/\/ (-?\d+|\[.*\]|'.*'|true|false)$/.exec(line) ?? []
    return expression === undefined ? [] : [{ expression, value }]
  })
}

/** The example as a module whose `outcomes` are pairs of what came out and what it says. */
export function runnable({ code, imports = '' }: Snippet): string {
  const lines = code.split('\n').map((line) => {
    const [outcome] = outcomesOf(line)
    return outcome === undefined ? line : `outcomes.push([${outcome.expression}, ${outcome.value}])`
  })
  const env = "import { StreamExecutionEnvironment as Env } from 'tailrace'; const env = Env.getExecutionEnvironment()"
  return `${imports}${env}\nexport const outcomes: unknown[] = []\n${lines.join('\n')}\n`
}
