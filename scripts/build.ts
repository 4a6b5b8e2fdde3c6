/**
 * Builds dist/, which is what npm ships: ESM, declarations and maps of runtime/ as tsc writes them, plus the Web UI's page.
 *
 * There is one tsconfig.json, so tsc also emits tests, examples and scripts; what does not ship is removed here. Two things that
 * tsc lets through are refused: a type error (noEmitOnError) and a `.ts` name that only runs in a checkout, such as
 * `new URL('./worker.ts', import.meta.url)`, which tsc does not rewrite.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, globSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildWeb } from './web-build.ts'

const root = dirname(import.meta.dirname)
const dist = join(root, 'dist')

/** Emitted, but of no use to a user of the package. The page's sources are bundled by Vite. */
const NOT_SHIPPED = [
  '*.{js,d.ts,js.map,d.ts.map}',
  '{examples,bench,scripts,e2e,charts}',
  'runtime/web',
  'runtime/testing/simulation',
  '**/*.{test,suite}.*',
]

/** Relative `.ts` names in places that run: they would not be found beside the emitted `.js`. */
export function unrewritten(js: string): string[] {
  const code = js.replace(/^\s*(\/\*|\*|\/\/).*$/gm, '')
  return [...code.matchAll(/(?:new URL|import)\(\s*(['"`])(\.[^'"`]*\.tsx?\b[^'"`]*)\1/g)].map((match) => match[2])
}

if (import.meta.main) {
  rmSync(dist, { recursive: true, force: true })
  const flags = [
    '--outDir',
    'dist',
    '--declaration',
    '--declarationMap',
    '--sourceMap',
    '--inlineSources',
    '--noEmitOnError',
  ]
  const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...flags], {
    cwd: root,
    stdio: 'inherit',
  })
  if (tsc.status !== 0) process.exit(tsc.status ?? 1)

  for (const path of globSync(NOT_SHIPPED, { cwd: dist })) rmSync(join(dist, path), { recursive: true, force: true })

  const problems: string[] = []
  for (const file of globSync('**/*.js', { cwd: dist })) {
    for (const specifier of unrewritten(readFileSync(join(dist, file), 'utf8'))) {
      problems.push(
        `Cannot ship dist/${file}: it loads '${specifier}', wanted the extension of import.meta.url (core/hot-copy.ts)`,
      )
    }
  }
  if (buildWeb({ ifStale: true })) {
    cpSync(join(root, 'runtime/web/dist'), join(dist, 'runtime/web/dist'), { recursive: true })
  }
  const cli = join(dist, 'runtime/cli/main.js')
  if (existsSync(cli)) chmodSync(cli, 0o755)
  else problems.push('Cannot ship the command: runtime/cli/main.ts is missing')

  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exit(1)
  console.log(`Built dist/: ${globSync('**/*.js', { cwd: dist }).length} modules`)
}
