/**
 * Holds the import directions: who may know whom, file by file, and draws what is there.
 *
 * Why it exists: one import against the current (core that knows api, jobmanager that knows taskmanager) is easy to write and
 * dear to take back; it makes parts that can only be tested, shipped and understood together. To add a folder, add its row to RULES.
 * Tests and suites (`*.test.ts`, `*.suite.ts`) may import what they like inside runtime/ and operator/.
 *
 * `node scripts/check-imports.ts` prints the drawing and every violation with the way out, and exits 1 if there is one.
 */
import { globSync, readFileSync } from 'node:fs'
import { dirname, posix, resolve } from 'node:path'
import { parseSync, Visitor } from 'vite'

/** What a folder may import. `*` is every folder of runtime/ but cli and testing, `**` is every folder; of operator/ by `import()` only. */
interface Rule {
  /** Folders whose values and types it may import. */
  imports: readonly string[]
  /** Folders of which it may import types only (`import type`). */
  types?: readonly string[]
  /** What to do instead. */
  out: string
}

const TO_CORE = 'move the shared type or function into core/'
const BY_ARGUMENT = 'take it as an argument, so that whoever may know both hands it over'

/** What of runtime/ all of operator/ may import. */
const OF_RUNTIME = ['core', 'config']
const PURE = 'take what it needs as an argument: without a client of Kubernetes it runs in tests and in the local twin'

/**
 * One row for each folder of runtime/ and operator/, from what knows nobody to what knows everybody. `index.ts` is the door `tailrace`, `operator` are the files at the top of
 * operator/.
 */
export const RULES: Record<string, Rule> = {
  core: { imports: [], out: BY_ARGUMENT },
  config: { imports: ['core'], out: TO_CORE },
  metrics: { imports: ['core'], out: TO_CORE },
  graph: { imports: ['core', 'config'], out: TO_CORE },
  codec: { imports: ['core'], out: TO_CORE },
  rpc: {
    imports: ['core', 'config', 'codec'],
    types: ['graph', 'metrics', 'checkpoint'],
    out: `${TO_CORE}; messages carry data, never functions`,
  },
  network: { imports: ['core', 'config', 'graph', 'codec'], types: ['metrics', 'rpc'], out: BY_ARGUMENT },
  checkpoint: { imports: ['core', 'config', 'codec', 'graph'], types: ['metrics'], out: BY_ARGUMENT },
  ha: { imports: ['core', 'checkpoint'], types: ['graph', 'rpc'], out: BY_ARGUMENT },
  state: { imports: ['core'], types: ['metrics', 'checkpoint'], out: BY_ARGUMENT },
  operators: { imports: ['core', 'config', 'state', 'network', 'metrics'], types: ['checkpoint'], out: TO_CORE },
  formats: { imports: ['core'], out: TO_CORE },
  connectors: { imports: ['core', 'formats'], out: 'contracts of sources and sinks are in core/; add to them there' },
  program: { imports: ['core', 'graph'], types: ['rpc'], out: BY_ARGUMENT },
  artifacts: { imports: ['core', 'config', 'checkpoint', 'program'], types: ['rpc', 'graph'], out: BY_ARGUMENT },
  api: {
    imports: ['core', 'config', 'graph', 'checkpoint', 'operators', 'state', 'program', 'connectors', 'formats'],
    types: ['rpc'],
    out: TO_CORE,
  },
  taskmanager: {
    imports: [
      'core',
      'config',
      'codec',
      'rpc',
      'graph',
      'program',
      'operators',
      'network',
      'state',
      'checkpoint',
      'metrics',
    ],
    types: ['connectors'],
    out: 'jobmanager and taskmanager meet in rpc/: add a message there',
  },
  jobmanager: {
    imports: ['core', 'config', 'rpc', 'graph', 'program', 'operators', 'network', 'state', 'checkpoint', 'metrics'],
    out: 'jobmanager and taskmanager meet in rpc/: add a message there',
  },
  rest: {
    imports: ['core', 'config', 'metrics', 'rpc', 'jobmanager'],
    types: ['graph', 'artifacts'],
    out: 'add to what jobmanager answers',
  },
  web: {
    imports: [],
    types: ['rest'],
    out: 'the page knows a cluster by its REST answers only: add an endpoint or a type in rest/',
  },
  'index.ts': { imports: ['*'], out: 'the door re-exports what job authors use; tests and commands are other doors' },
  embedded: {
    imports: ['*'],
    out: 'joins the parts of a cluster in one process, for testing/, cli/ and plain programs',
  },
  processes: { imports: ['*'], out: 'joins the parts of a cluster in processes of their own, for cli/' },
  testing: { imports: ['*'], out: 'tests of users do not start commands' },
  cli: { imports: ['**'], out: '' },
  'operator/api': { imports: OF_RUNTIME, out: PURE },
  'operator/kube': { imports: [...OF_RUNTIME, 'ha'], out: BY_ARGUMENT },
  'operator/resources': { imports: [...OF_RUNTIME, 'operator/api'], types: ['operator/kube'], out: PURE },
  'operator/controllers': {
    imports: [...OF_RUNTIME, 'operator/api', 'operator/resources', 'operator/kube'],
    types: ['rest', 'rpc'],
    out: BY_ARGUMENT,
  },
  operator: {
    imports: [
      ...OF_RUNTIME,
      'ha',
      'metrics',
      'program',
      'operator/api',
      'operator/resources',
      'operator/kube',
      'operator/controllers',
    ],
    types: ['rest'],
    out: BY_ARGUMENT,
  },
}

/** Files that decide: they know clients of Kubernetes by their types only. */
const DECISIONS = /^operator\/controllers\/.*\/decide[^/]*\.ts$/

/** Folders outside runtime/ that see the package as its users do: through its doors. `except` may open the hood. */
export const THROUGH_DOORS: Record<string, { except?: readonly string[] }> = {
  examples: {},
  bench: { except: ['bench/parts/', 'bench/operator/'] },
}

export interface Import {
  /** Path of the importing file from the checkout's root, with slashes. */
  file: string
  line: number
  specifier: string
  typeOnly: boolean
  /** By `import()`. */
  lazy?: boolean
}

export interface Violation extends Import {
  rule: string
  out: string
}

/** Every import, re-export, `import()`, `new URL('./x.ts', import.meta.url)` and `typeof import()` of a file. */
export function importsOf(file: string, source: string): Import[] {
  const found: Import[] = []
  const add = (start: number, specifier: string, typeOnly: boolean, lazy = false) =>
    found.push({
      file,
      line: source.slice(0, start).split('\n').length,
      specifier,
      typeOnly,
      ...(lazy && { lazy }),
    })
  const { program, module, errors } = parseSync(file, source)
  if (errors.length > 0) throw new SyntaxError(`Cannot read imports of ${file}: ${errors[0].message}`)
  for (const { start, moduleRequest, entries } of module.staticImports) {
    add(start, moduleRequest.value, entries.length > 0 && entries.every((entry) => entry.isType))
  }
  for (const { start, entries } of module.staticExports) {
    const from = entries.find((entry) => entry.moduleRequest)?.moduleRequest
    if (from)
      add(
        start,
        from.value,
        entries.every((entry) => entry.isType),
      )
  }
  new Visitor({
    ImportExpression({ start, source: { type, value } }: any) {
      if (type === 'Literal') add(start, value, false, true)
    },
    TSImportType({ start, source: { value } }: any) {
      add(start, value, true)
    },
    NewExpression({ start, callee, arguments: [first, second] }: any) {
      const isFile = callee.name === 'URL' && first?.type === 'Literal' && second?.object?.type === 'MetaProperty'
      if (isFile && /\.tsx?$/.test(first.value)) add(start, first.value, false)
    },
  }).visit(program)
  return found
}

/** The row of RULES that a path belongs to; undefined outside runtime/ and operator/. */
function folderOf(path: string): string | undefined {
  const [top, folder, ...rest] = path.split('/')
  if (top === 'operator') return rest.length === 0 ? top : `${top}/${folder}`
  return top === 'runtime' ? folder : undefined
}

const isTest = (file: string) => /\.(test|suite|bench)\.tsx?$/.test(file)

/** Path that a relative specifier names, from the root; undefined for packages, Node and doors. */
function targetOf({ file, specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier.replace(/[?#].*$/, '')) : undefined
}

export function check(imports: readonly Import[]): Violation[] {
  const violations: Violation[] = []
  for (const found of imports) {
    const problem = judge(found)
    if (problem) violations.push({ ...found, ...problem })
  }
  for (const cycle of cyclesOf(drawing(imports))) {
    const [from, to] = cycle
    const example = imports.find(
      (i) => !isTest(i.file) && folderOf(i.file) === from && folderOf(targetOf(i) ?? '') === to,
    )
    violations.push({ ...example!, rule: `folders make no circle: ${cycle.join(' -> ')}`, out: TO_CORE })
  }
  return violations
}

/** The rule that one import breaks, if any. */
function judge(found: Import): { rule: string; out: string } | undefined {
  const { file, specifier, typeOnly } = found
  const target = targetOf(found)
  const area = file.slice(0, file.indexOf('/'))
  const doors = THROUGH_DOORS[area]
  if (doors) {
    if (target === undefined || target.startsWith(`${area}/`)) return
    if (doors.except?.some((folder) => file.startsWith(folder))) return
    // The command line of scripts, and servers to run against: of the lab, or as tests have them.
    if (/^scripts\/(lab\/|command-line\.ts$)/.test(target) || (isTest(file) && isTest(target))) return
    const door = target.replace(/^runtime\//, 'tailrace/').replace(/(\/index)?\.ts$/, '')
    return {
      rule: `${area}/ uses the package through its doors`,
      out:
        `import 'tailrace' or the nearest door of '${door}'` +
        (doors.except ? `, or measure it in ${doors.except.join(' or ')}` : ''),
    }
  }
  const from = folderOf(file)
  if (from === undefined || isTest(file)) return
  if (/^tailrace(\/|$)/.test(specifier)) {
    return {
      rule: `${area}/ does not import itself by name`,
      out: 'use the relative path; the name would load a second copy',
    }
  }
  if (target === undefined) return
  const to = folderOf(target)
  if (to === from) return
  const rule = RULES[from]
  if (!rule) {
    const name = area === 'runtime' ? `runtime/${from}` : from
    return { rule: `${name} has no row in RULES`, out: 'add one to scripts/check-imports.ts' }
  }
  if (to === undefined) return { rule: `${area}/ imports nothing outside ${area}/, found ${target}`, out: BY_ARGUMENT }
  if (isTest(target)) return { rule: 'what ships does not import tests', out: 'move the shared part into testing/' }
  if (area === 'runtime' && isOperators(to)) {
    if (rule.imports.includes('**') && (found.lazy || typeOnly)) return
    return {
      rule: 'runtime/ knows nothing of operator/, but cli by import()',
      out: 'load it when the command is called',
    }
  }
  if (DECISIONS.test(file) && to === 'operator/kube' && !typeOnly)
    return { rule: 'what decides imports types of operator/kube only', out: PURE }
  if (allows(rule.imports, to) || (typeOnly && allows(rule.types ?? [], to))) return
  const types = rule.types?.length ? `, and types of ${rule.types.join(', ')}` : ''
  return { rule: `${from} imports ${rule.imports.join(', ') || 'nobody'}${types}; not ${to}`, out: rule.out }
}

function isOperators(folder: string): boolean {
  return folder.split('/')[0] === 'operator'
}

function allows(folders: readonly string[], to: string): boolean {
  if (folders.includes('**')) return true
  return folders.includes('*') ? to !== 'cli' && to !== 'testing' : folders.includes(to)
}

/** What each folder imports now; `true` where it is types only. */
export type Drawing = Map<string, Map<string, boolean>>

export function drawing(imports: readonly Import[]): Drawing {
  const folders: Drawing = new Map()
  for (const found of imports) {
    const from = folderOf(found.file)
    if (from === undefined || isTest(found.file)) continue
    const row = folders.get(from) ?? new Map<string, boolean>()
    folders.set(from, row)
    const to = folderOf(targetOf(found) ?? '')
    if (to === undefined || to === from) continue
    row.set(to, found.typeOnly && row.get(to) !== false)
  }
  return folders
}

/** Circles between folders, each once, from its first folder in the order of RULES. */
export function cyclesOf(folders: Drawing): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const visit = (folder: string, path: string[]) => {
    const at = path.indexOf(folder)
    if (at >= 0) cycles.push([...path.slice(at), folder])
    if (at >= 0 || done.has(folder)) return
    for (const to of folders.get(folder)?.keys() ?? []) visit(to, [...path, folder])
    done.add(folder)
  }
  for (const folder of inOrder(folders)) visit(folder, [])
  return cycles
}

function inOrder(folders: Drawing): string[] {
  const order = Object.keys(RULES)
  return [...folders.keys()].sort((a, b) => order.indexOf(a) - order.indexOf(b))
}

/** One line for each folder: `api  core graph (rpc)`, types in brackets. ARCHITECTURE.md shows it. */
export function draw(folders: Drawing): string {
  const order = Object.keys(RULES)
  const lines = inOrder(folders).map((folder) => {
    const row = [...folders.get(folder)!].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    return `${folder.padEnd(12)} ${row.map(([to, typeOnly]) => (typeOnly ? `(${to})` : to)).join(' ')}`.trimEnd()
  })
  return lines.join('\n')
}

/** Imports of all sources of the checkout at `root`. */
export function readImports(root: string): Import[] {
  const areas = ['runtime', 'operator', ...Object.keys(THROUGH_DOORS)]
  const files = globSync(`{${areas.join(',')}}/**/*.{ts,tsx}`, {
    cwd: root,
    exclude: ['**/dist/**', '**/node_modules/**'],
  })
  return files.flatMap((file) => {
    const path = file.replaceAll('\\', '/')
    return importsOf(path, readFileSync(resolve(root, file), 'utf8'))
  })
}

if (import.meta.main) {
  const imports = readImports(dirname(import.meta.dirname))
  console.log(draw(drawing(imports)))
  const violations = check(imports)
  for (const { file, line, specifier, rule, out } of violations) {
    console.error(`\n${file}:${line} imports '${specifier}'\n  rule: ${rule}${out && `\n  way out: ${out}`}`)
  }
  const files = new Set(imports.map((found) => found.file)).size
  console.log(`\n${imports.length} imports in ${files} files, ${violations.length} against the directions`)
  if (violations.length > 0) process.exitCode = 1
}
