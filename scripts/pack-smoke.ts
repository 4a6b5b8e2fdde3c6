/**
 * Checks the package as a user gets it: packs it, then lints its shape (publint), its types as every resolver sees them (attw),
 * and runs a job from a project that has nothing else (smoke). `node scripts/pack-smoke.ts [publint|attw|smoke]`, all by default.
 *
 * The smoke project holds the unpacked package and links to the packages that package-lock.json does not call development's,
 * so a dependency in the wrong list fails here and not at the first user. dist/ has to be built (`npm run build`).
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const RUN_TIMEOUT_MS = 60_000

const JOB = `import { StreamExecutionEnvironment } from 'tailrace'

export default async function main(env: StreamExecutionEnvironment) {
  env
    .fromData(['to be or not to be'])
    .flatMap((line) => line.split(' '))
    .map((w) => ({ w, n: 1 }))
    .keyBy((r) => r.w)
    .sum('n')
    .print()
  await env.execute('smoke')
}
`
/** The second `to`, however a record is printed: `{ w: 'to', n: 2 }` or `{"w":"to","n":2}`. */
const EXPECTED = /\bw\W+to\W+n\W+2\b/

const checks: Record<string, (tarball: string, dir: string) => void> = {
  publint: (tarball) =>
    run(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict']),
  attw: (tarball) => {
    const cli = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    run(process.execPath, [cli, tarball, '--profile', 'esm-only', '--format', 'ascii'])
  },
  smoke,
}

function smoke(tarball: string, dir: string): void {
  const modules = join(dir, 'project/node_modules')
  mkdirSync(modules, { recursive: true })
  run('tar', ['-xzf', tarball, '-C', modules])
  run('mv', [join(modules, 'package'), join(modules, 'tailrace')])
  linkDependencies(modules)
  const project = dirname(modules)
  writeFileSync(join(project, 'package.json'), '{ "name": "smoke", "private": true, "type": "module" }\n')
  writeFileSync(join(project, 'job.ts'), JOB)

  const bin = JSON.parse(readFileSync(join(modules, 'tailrace/package.json'), 'utf8')).bin.tailrace
  const output = run(process.execPath, [join(modules, 'tailrace', bin), 'run', 'job.ts'], project)
  if (!EXPECTED.test(output)) throw new Error(`Cannot find ${EXPECTED} in what the job printed:\n${output}`)

  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const flags = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--skipLibCheck',
    '--types',
    'node',
  ]
  // Some are there as dependencies of dependencies.
  const types = join(modules, '@types')
  mkdirSync(types, { recursive: true })
  if (!existsSync(join(types, 'node'))) symlinkSync(join(root, 'node_modules/@types/node'), join(types, 'node'))
  run(process.execPath, [tsc, ...flags, 'job.ts'], project)
}

/** Links what an `npm install tailrace` would bring. */
function linkDependencies(modules: string): void {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  for (const [path, { dev }] of Object.entries<{ dev?: boolean }>(packages)) {
    const name = /^node_modules\/((@[^/]+\/)?[^/]+)$/.exec(path)?.[1]
    if (name === undefined || dev || !existsSync(join(root, path))) continue
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, path), join(modules, name))
  }
}

/** Runs a program to its end and returns its stdout; throws with all it printed if it fails. */
function run(command: string, args: readonly string[], cwd = root): string {
  const result = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  if (result.status === 0) return result.stdout
  const why = result.error?.message ?? `exit code ${result.status}`
  throw new Error(`Cannot run ${[command, ...args].join(' ')}: ${why}\n${result.stdout}${result.stderr}`)
}

/** Packs what dist/ holds now: scripts are ignored, so that packing does not build again. */
function pack(dir: string): string {
  if (!existsSync(join(root, 'dist'))) throw new Error('Cannot pack: dist/ is missing, run `npm run build` first')
  run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', dir])
  return join(dir, globSync('*.tgz', { cwd: dir })[0])
}

const dir = mkdtempSync(join(tmpdir(), 'tailrace-pack-'))
try {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks)
  const tarball = pack(dir)
  for (const name of names) {
    if (!checks[name]) throw new RangeError(`Cannot check "${name}": wanted one of ${Object.keys(checks).join(', ')}`)
    checks[name](tarball, dir)
    console.log(`${name}: ok`)
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}
