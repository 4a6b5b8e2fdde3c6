/**
 * Runs scenarios of Tailrace on a real Kubernetes, with the real image, Apache Kafka and an S3 server: `npm run e2e [-- SCENARIO... | --core]`.
 *
 * Without KUBECONFIG the cluster is the lab's (scripts/lab/kubernetes.ts), which is started if it does not run, and stays. With KUBECONFIG it is that one, to which images have been pushed: TAILRACE_E2E_IMAGES says
 * their names, `operator=…,job=…,changed=…`, and TAILRACE_E2E_HOST the address at which its pods reach this machine.
 *
 * Each scenario is a file in scenarios/ that exports `run(world)`; it fails by throwing. The last line says how many passed and failed.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { commandLine, refuse } from '../../scripts/command-line.ts'
import { missingKafkaLab } from '../../scripts/lab/kafka.ts'
import {
  inNetwork,
  kubeConfigFile,
  labPrograms,
  loadImages,
  MACHINE_ADDRESS,
  missingKubernetes,
  startKubernetes,
} from '../../scripts/lab/kubernetes.ts'
import { missingOwnS3 } from '../../scripts/lab/s3.ts'
import { buildImages } from './images.ts'
import { startShared, uninstallOperator, World } from './world.ts'

const root = dirname(dirname(import.meta.dirname))
const names = globSync('*.ts', { cwd: join(import.meta.dirname, 'scenarios') })
  .map((file) => file.replace(/\.ts$/, ''))
  .toSorted()

/** What every change is held to. */
const CORE = [
  'quickstart',
  'savepoint-nonce',
  'upgrade-savepoint',
  'rescale-replicas',
  'taskmanager-killed',
  'operator-failover',
]

const USAGE = `Usage: npm run e2e [-- SCENARIO... | --core] [--list] [--keep]

  SCENARIO   ${names.join(', ')}; all unless given
  --core     ${CORE.join(', ')}
  --keep     namespaces of scenarios stay, to be looked at`

const { values, positionals } = commandLine(USAGE, {
  allowPositionals: true,
  options: {
    core: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const strange = positionals.find((name) => !names.includes(name))
if (strange !== undefined) refuse(`${strange}: there is no such scenario, wanted: ${names.join(', ')}`)
const wanted = values.core ? CORE : positionals.length > 0 ? positionals : names
if (values.list) console.log(wanted.join('\n'))
else if (process.env.TAILRACE_E2E_IMAGES !== undefined) await scenarios(wanted)
else inLab()

/** The same again, in the network of the lab's cluster. */
function inLab(): void {
  if (process.env.KUBECONFIG !== undefined) refuse('KUBECONFIG is set, so TAILRACE_E2E_IMAGES is wanted too')
  for (const missing of [missingKubernetes(), missingKafkaLab(), missingOwnS3()])
    if (missing !== undefined) refuse(missing)
  startKubernetes()
  const { images, files } = buildImages()
  loadImages(...files)
  const [program, ...before] = inNetwork(process.execPath, ...process.execArgv, ...process.argv.slice(1))
  const env = {
    ...process.env,
    KUBECONFIG: kubeConfigFile,
    PATH: `${labPrograms}:${process.env.PATH}`,
    TAILRACE_E2E_HOST: MACHINE_ADDRESS,
    TAILRACE_E2E_IMAGES: Object.entries(images)
      .map(([name, image]) => `${name}=${image}`)
      .join(),
  }
  const { status } = spawnSync(program!, before, { cwd: root, env, stdio: 'inherit' })
  process.exitCode = status ?? 1
}

async function scenarios(names: readonly string[]): Promise<void> {
  const { TAILRACE_E2E_IMAGES: given = '', TAILRACE_E2E_HOST: host } = process.env
  if (host === undefined) refuse('TAILRACE_E2E_HOST: the address at which pods reach this machine is wanted')
  const { tailrace, job, changed } = Object.fromEntries(given.split(',').map((pair) => pair.split('=')))
  if (tailrace === undefined || job === undefined || changed === undefined)
    refuse(`TAILRACE_E2E_IMAGES ${given}: tailrace=IMAGE,job=IMAGE,changed=IMAGE is wanted`)
  // Node.js warns of a timer of kafkajs.
  process.removeAllListeners('warning')
  await uninstallOperator()
  const shared = await startShared({ tailrace, job, changed }, host)
  let failed = 0
  try {
    for (const name of names) {
      const { run } = await import(`./scenarios/${name}.ts`)
      const world = await World.of(shared, name)
      const startedMs = Date.now()
      const took = () => `${((Date.now() - startedMs) / 1000).toFixed(1)} s`
      try {
        const figures: string = await run(world)
        console.log(`ok     ${name} (${took()})${figures ? `: ${figures}` : ''}`)
      } catch (error) {
        failed++
        console.log(`FAILED ${name} (${took()})\n${(error as Error).stack}\n\n${await world.report()}`)
      } finally {
        if (!values.keep) await world.end()
      }
    }
  } finally {
    await shared.stop()
  }
  console.log(`\n${names.length - failed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}
