/**
 * A real Kubernetes on this machine, of one node, for tests and for trying things by hand. Wants root on Linux with cgroup v1, Debian's packages and Go.
 *
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts install            makes its programs and images, once: about ten minutes
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts up                 starts it, in 10 to 20 s
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts image [TAG]        builds the Dockerfile of this checkout as tailrace:TAG, and loads it
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts kubectl get pods -A
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts helm install tailrace charts/tailrace
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts net COMMAND...     a command that sees services by their names, and is seen by pods at 10.200.0.2
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts kubeconfig         prints the file for tools that run in `net`
 *     node scripts/with-node.mjs scripts/lab/kubernetes.ts down
 *
 * What is built lies in TAILRACE_LAB, else `~/.cache/tailrace-lab`, under the version of Kubernetes. kubernetes/cluster.sh says what else it can do.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { labFolder } from './server.ts'

const scripts = join(import.meta.dirname, 'kubernetes')
const root = dirname(dirname(import.meta.dirname))

/** As the Go module says it: v1.34.4. */
export const KUBERNETES_VERSION = /^\tk8s\.io\/kubernetes (\S+)$/m.exec(
  readFileSync(join(scripts, 'hyperkube/go.mod'), 'utf8'),
)![1]!

const folder = join(labFolder, `kubernetes-${KUBERNETES_VERSION}`)
const state = process.env.TAILRACE_KUBERNETES ?? '/var/tmp/tailrace-kubernetes'

/** Where this machine is found by pods, for programs that run in {@link inNetwork}. */
export const MACHINE_ADDRESS = '10.200.0.2'

/** For tools that run in {@link inNetwork}. */
export const kubeConfigFile = join(state, 'admin.conf')

/** Folder of `kubectl`, `helm3` and `helm4` (and `helm`, the newer one). */
export const labPrograms = join(folder, 'bin')

/** Why there is no Kubernetes to be had, in a line that says how to get one; undefined: there is. */
export function missingKubernetes(): string | undefined {
  if (!existsSync(join(folder, 'images.made')))
    return 'Kubernetes: its programs are not there; make them (node scripts/with-node.mjs scripts/lab/kubernetes.ts install, needs root, Debian and Go)'
  if (!existsSync('/sys/fs/cgroup/memory'))
    return 'Kubernetes: this machine has no cgroup v1; set KUBECONFIG to use another cluster'
  return undefined
}

/** Makes what is missing; prints what goes wrong. Throws when a part cannot be made. @param part one of kubernetes/build.sh; all unless given */
export function installKubernetes(part = 'all'): void {
  run('build.sh', [part], { TAILRACE_NODE: process.execPath })
}

/** Starts the cluster if it does not run. Its node and DNS are ready then. */
export function startKubernetes(): void {
  const missing = missingKubernetes()
  if (missing !== undefined) throw new Error(missing)
  // Made by an earlier checkout, perhaps; at once when they are as this one wants them.
  run('build.sh', ['images'])
  run('cluster.sh', ['up'])
}

/** Whether it was started, and not ended. */
export function kubernetesRuns(): boolean {
  const { stdout } = spawnSync(join(scripts, 'cluster.sh'), ['status'], { encoding: 'utf8' })
  return stdout.includes('kube-apiserver runs')
}

/** Ends it, and removes all that it stored. */
export function stopKubernetes(): void {
  run('cluster.sh', ['down'])
}

/**
 * Builds a Dockerfile on the lab's image with Node 24 (its argument BASE_IMAGE), and makes it known to the node. Returns the archive, whose size is what a registry would store.
 *
 * @param context folder that the Dockerfile is in
 * @param name such as `tailrace:0.1.0`; without a host, as pods name it
 */
export function buildImage(context: string, name: string, args: readonly string[] = []): string {
  const file = join(folder, `${name.replaceAll(/[^\w.-]/g, '-')}.tar`)
  run('build.sh', ['image', resolve(context), `docker.io/library/${name}`, file, ...args])
  return file
}

/** Makes images known to the node. @param files OCI archives */
export function loadImages(...files: string[]): void {
  run('cluster.sh', ['load-image', ...files.map((file) => resolve(file))])
}

/** The command line that runs a command in the cluster's network. */
export function inNetwork(...command: string[]): string[] {
  return [join(scripts, 'cluster.sh'), 'net', ...command]
}

function run(script: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): void {
  const env = { ...process.env, ...environment }
  const { error, status } = spawnSync(join(scripts, script), args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error !== undefined) throw new Error(`Cannot run ${script}: ${error.message}`, { cause: error })
  if (status !== 0) throw new Error(`${script} ${args[0]} ended with ${status}`)
}

/** Of this checkout: what images are called by, unless they are given another tag. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
}

const USAGE = `Usage: node scripts/with-node.mjs scripts/lab/kubernetes.ts install [PART] | up | image [TAG] | load-image FILE... | net COMMAND... |
       kubectl ARGS... | helm ARGS... | kubeconfig | status | down [--keep]`

if (import.meta.main) {
  const [what = '', ...args] = process.argv.slice(2)
  try {
    if (what === 'install') installKubernetes(args[0])
    else if (what === 'up') startKubernetes()
    else if (what === 'image') {
      const file = buildImage(root, `tailrace:${args[0] ?? packageVersion()}`)
      loadImages(file)
      console.log(file)
    } else if (what === 'load-image') loadImages(...args)
    else if (what === 'kubeconfig') console.log(kubeConfigFile)
    else if (['net', 'kubectl', 'helm', 'down', 'status'].includes(what)) {
      const { status } = spawnSync(join(scripts, 'cluster.sh'), [what, ...args], { stdio: 'inherit' })
      process.exitCode = status ?? 1
    } else {
      console.error(USAGE)
      process.exitCode = what === '--help' ? 0 : 2
    }
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}
