/**
 * Runs a script with the project's Node and dependencies, whatever Node started it: `node scripts/with-node.mjs FILE [args]`.
 *
 * Every npm script goes through here, so that a fresh clone needs one command. What must hold:
 * - node_modules is what package-lock.json says, else `npm ci` runs first; a tree that matches costs a few milliseconds;
 * - FILE runs on the Node of devDependency `node`, with `tailrace` meaning this checkout (register-tailrace.mjs);
 * - arguments, signals and the exit code pass through, and stdout belongs to FILE alone;
 * - plain JavaScript without dependencies, as it runs on the machine's Node (20 and up) before anything is installed.
 *
 * `--web` before FILE builds the Web UI's page first when it is missing or older than its sources.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, lstatSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../', import.meta.url))
const nodeBin = join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')

const args = process.argv.slice(2)
const web = args[0] === '--web'
if (web) args.shift()
if (args.length === 0) fail('Cannot run: no file is given, wanted: node scripts/with-node.mjs [--web] FILE [args]')

const stale = whyStale()
if (stale !== undefined) install(stale)

const node = existsSync(nodeBin) ? nodeBin : process.execPath
if (node !== nodeBin && !atLeast(process.versions.node, '22.19')) {
  fail(
    `Cannot find the project's Node: ${nodeBin} is missing. Were install scripts switched off (npm config ignore-scripts)?`,
  )
}
const [file, ...rest] = args
if (!existsSync(join(root, file))) fail(`Cannot run ${file}: there is no such file in this checkout`)

// Kept compiled code: types are stripped once and not by every thread again, which halves the start and a third of the memory.
// Never while coverage is taken: cached code is counted by function only.
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/tailrace-compile')
const preload = ['--import', pathToFileURL(join(root, 'scripts/register-tailrace.mjs')).href]
if (web) {
  const built = spawnSync(node, [...preload, join(root, 'scripts/web-build.ts'), '--if-stale'], {
    stdio: ['ignore', 2, 2],
  })
  if (built.status !== 0) process.exit(built.status ?? 1)
}
run([...preload, join(root, file), ...rest])

/**
 * Names the first package in which node_modules differs from package-lock.json. npm writes what it installed into
 * node_modules/.package-lock.json, so no stamp of ours is needed, and an `npm ci` by hand counts too.
 */
function whyStale() {
  const wanted = packagesOf('package-lock.json')
  if (wanted === undefined) fail('Cannot install: package-lock.json is missing or is not JSON')
  if (!existsSync(join(root, 'node_modules'))) return 'node_modules is missing'
  const found = packagesOf('node_modules/.package-lock.json')
  if (found === undefined) return 'node_modules is incomplete'
  for (const [path, { version, integrity, optional, devOptional, peer }] of Object.entries(wanted)) {
    if (path === '') continue
    const has = found[path]
    // Optional ones are left out by platform, so their absence says nothing.
    if (has === undefined && (optional || devOptional || peer)) continue
    if (has?.version !== version || has?.integrity !== integrity) {
      return `${path.replace(/^.*node_modules\//, '')} ${version} is wanted, ${has?.version ?? 'none'} is there`
    }
  }
  for (const path in found) if (!(path in wanted)) return `${path.replace(/^.*node_modules\//, '')} is no longer wanted`
}

function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages
  } catch {
    return undefined
  }
}

function install(reason) {
  // Of a linked one npm would empty what it leads to: the packages of another checkout, in use there.
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
    process.stderr.write(`Left node_modules as it is, for it is a link (${reason}): install where it leads to\n`)
    return
  }
  const startedMs = Date.now()
  process.stderr.write(`Installing dependencies (${reason}): npm ci, about half a minute ...\n`)
  const npm = process.env.npm_execpath
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const result = spawnSync(command, [...first, 'ci', '--loglevel=error', '--no-fund', '--no-audit'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
    // A machine set up for production would leave out devDependencies, and with them Node.
    env: { ...process.env, NODE_ENV: undefined, npm_config_omit: undefined, npm_config_production: undefined },
  })
  if (result.error) fail(`Cannot start npm: ${result.error.message}`)
  if (result.status !== 0) process.exit(result.status ?? 1)
  process.stderr.write(`Installed in ${((Date.now() - startedMs) / 1000).toFixed(0)} s\n`)
}

/** Becomes Node with `argv` where the system can replace a process, else starts it and stands aside. */
function run(argv) {
  if (process.execve && process.platform !== 'win32') process.execve(node, [node, ...argv], process.env)
  const child = spawn(node, argv, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // A terminal sends its signals to the child as well; twice would read as "stop at once".
    process.on(signal, () => (signal !== 'SIGTERM' && process.stdin.isTTY) || child.kill(signal))
  }
  child.on('error', (error) => fail(`Cannot start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function atLeast(version, wanted) {
  const [a, b] = [version, wanted].map((v) => v.split('.').map(Number))
  return a[0] > b[0] || (a[0] === b[0] && a[1] >= b[1])
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
