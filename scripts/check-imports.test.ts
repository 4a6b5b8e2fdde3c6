import { describe, expect, test } from 'vitest'
import { check, cyclesOf, draw, drawing, type Import, importsOf, RULES } from './check-imports.ts'

const value = (file: string, specifier: string): Import => ({ file, line: 1, specifier, typeOnly: false })
const type = (file: string, specifier: string): Import => ({ file, line: 1, specifier, typeOnly: true })

describe('importsOf()', () => {
  const read = (source: string) => importsOf('runtime/core/a.ts', source).map((i) => [i.line, i.specifier, i.typeOnly])

  test('finds every form of import, with its line and whether it is a type', () => {
    const source = [
      `import { a } from './a.ts'`,
      `import type { B } from './b.ts'`,
      `import { type C } from './c.ts'`,
      `import { type D, d } from './d.ts'`,
      `import './e.ts'`,
      `export * from './f.ts'`,
      `export type { G } from './g.ts'`,
      `const h = await import('./h.ts')`,
      `const i = new Worker(new URL('./i.ts', import.meta.url))`,
      `type J = typeof import('./j.ts')`,
      `export const own: string = 'x' // import('./comment.ts')`,
    ]
    expect(read(source.join('\n')).sort((a, b) => Number(a[0]) - Number(b[0]))).toEqual([
      [1, './a.ts', false],
      [2, './b.ts', true],
      [3, './c.ts', true],
      [4, './d.ts', false],
      [5, './e.ts', false],
      [6, './f.ts', false],
      [7, './g.ts', true],
      [8, './h.ts', false],
      [9, './i.ts', false],
      [10, './j.ts', true],
    ])
  })

  test('names the file that cannot be parsed', () => {
    expect(() => read('import {')).toThrow('Cannot read imports of runtime/core/a.ts')
  })
})

describe('check()', () => {
  const rules = (...imports: Import[]) => check(imports).map((violation) => violation.rule)

  const wrong: [string, Import, RegExp][] = [
    ['core knows nobody', type('runtime/core/a.ts', '../api/b.ts'), /core imports nobody; not api/],
    [
      'types only where the table says so',
      value('runtime/rpc/a.ts', '../graph/b.ts'),
      /types of graph, metrics, checkpoint; not graph/,
    ],
    [
      'jobmanager and taskmanager meet in rpc',
      type('runtime/jobmanager/a.ts', '../taskmanager/b.ts'),
      /not taskmanager/,
    ],
    ['depth does not matter', value('runtime/state/heap/a.ts', '../../api/b.ts'), /not api/],
    ['the page knows types of rest', value('runtime/web/src/a.tsx', '../../rest/b.ts'), /types of rest; not rest/],
    ['nobody imports cli', value('runtime/testing/a.ts', '../cli/main.ts'), /not cli/],
    ['the door opens no testing', value('runtime/index.ts', './testing/index.ts'), /not testing/],
    ['runtime does not name itself', value('runtime/api/a.ts', 'tailrace/state'), /by name/],
    ['runtime stays inside', value('runtime/core/a.ts', '../../scripts/b.ts'), /nothing outside runtime/],
    ['what ships imports no tests', value('runtime/api/a.ts', '../core/b.suite.ts'), /does not import tests/],
    ['a folder without a row', value('runtime/newcomer/a.ts', '../core/b.ts'), /no row in RULES/],
    ['examples use doors', value('examples/a.ts', '../runtime/index.ts'), /through its doors/],
    [
      'an example uses no server of tests',
      value('examples/a.ts', '../runtime/connectors/b.suite.ts'),
      /through its doors/,
    ],
    ['runtime knows no operator', type('runtime/processes/a.ts', '../../operator/kube/b.ts'), /nothing of operator/],
    ['cli loads the operator when called', value('runtime/cli/a.ts', '../../operator/b.ts'), /nothing of operator/],
    [
      'the operator starts no jobs',
      value('operator/controllers/x/act.ts', '../../../runtime/jobmanager/b.ts'),
      /not jobmanager/,
    ],
    ['resources are pure', value('operator/resources/a.ts', '../kube/client.ts'), /types of operator\/kube; not/],
    [
      'decisions are pure',
      value('operator/controllers/x/decide.ts', '../../kube/client.ts'),
      /what decides imports types/,
    ],
    ['benchmarks use doors', value('bench/a.ts', '../runtime/core/clock.ts'), /through its doors/],
  ]
  for (const [name, found, rule] of wrong) {
    test(`reports: ${name}`, () => expect(rules(found)).toEqual([expect.stringMatching(rule)]))
  }

  const right: [string, Import][] = [
    ['a folder and itself', value('runtime/core/a.ts', './b.ts')],
    ['packages and Node', value('runtime/core/a.ts', 'node:fs')],
    ['types where the table says so', type('runtime/rpc/a.ts', '../graph/b.ts')],
    ['a test beside its source', value('runtime/core/a.test.ts', '../testing/index.ts')],
    ['cli and anything', value('runtime/cli/main.ts', '../testing/index.ts')],
    ['cli and the operator', { ...value('runtime/cli/a.ts', '../../operator/main.ts'), lazy: true }],
    ['decisions and types of the client', type('operator/controllers/x/decide.ts', '../../kube/client.ts')],
    ['the operator and the election', value('operator/kube/a.ts', '../../runtime/ha/b.ts')],
    ['an example and a door', value('examples/a.ts', 'tailrace/connectors/files')],
    ['an example and its neighbour', value('examples/lib/a.ts', '../b.ts')],
    ['a benchmark and a server of the lab', value('bench/jobs/a.ts', '../../scripts/lab/kafka.ts')],
    ['a benchmark and its command line', value('bench/main.ts', '../scripts/command-line.ts')],
    ['a test of an example and a server of tests', value('examples/a.test.ts', '../runtime/connectors/b.suite.ts')],
    ['bench/parts and an inner part', value('bench/parts/a.ts', '../../runtime/state/heap/table.ts')],
  ]
  for (const [name, found] of right) test(`allows: ${name}`, () => expect(rules(found)).toEqual([]))

  test('reports a circle of folders once, and names it', () => {
    const circle = [value('runtime/testing/a.ts', '../index.ts'), value('runtime/index.ts', './testing/b.ts')]
    expect(rules(...circle)).toContain('folders make no circle: index.ts -> testing -> index.ts')
  })
})

test('draw() puts folders in the order of the table and types in brackets', () => {
  const imports = [
    type('runtime/rpc/a.ts', '../graph/b.ts'),
    value('runtime/rpc/a.ts', '../core/b.ts'),
    type('runtime/rpc/c.ts', '../core/b.ts'),
    value('runtime/core/b.ts', 'node:fs'),
  ]
  expect(draw(drawing(imports))).toBe('core\nrpc          core (graph)')
})

test('RULES allow no circle', () => {
  const wildcards = (folder: string) => RULES[folder].imports.some((to) => to.startsWith('*'))
  const table = Object.entries(RULES).filter(([folder]) => !wildcards(folder))
  const all = table.map(([folder, { imports, types = [] }]) => {
    return [folder, new Map([...imports, ...types].map((to) => [to, true]))] as const
  })
  expect(cyclesOf(new Map(all))).toEqual([])
})
