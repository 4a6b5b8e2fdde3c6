/**
 * docs/quickstart-kubernetes.md as it is written: each `sh` block is run in its turn, in one shell, and fails the scenario where a command of it fails. Blocks behind `<!-- given -->` are what the harness has done: where Kafka and
 * S3 are, and images, made of the job that the page shows. In the end the topic has for each customer the orders 1, 2, 3 ..., in order and each once.
 */
import { must } from '../kubectl.ts'
import { commandsOf, QUICKSTART } from '../quickstart-page.ts'
import type { World } from '../world.ts'

const ORDERS_AT_LEAST = 200

export async function run(world: World): Promise<string> {
  const { kafka, kubectl } = world
  await world.noOperator()
  await kafka.createTopic('totals', 2)
  const configuration = world.configuration()
  const environment = {
    KAFKA_BOOTSTRAP_SERVERS: world.bootstrapServers,
    S3_ENDPOINT: configuration['s3.endpoint']!,
    S3_BUCKET: /^s3:\/\/([^/]+)/.exec(configuration['execution.checkpointing.dir']!)![1]!,
    S3_ACCESS_KEY: configuration['s3.access-key']!,
    S3_SECRET_KEY: configuration['s3.secret-key']!,
  }
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${value}`)
  // A reader works in a namespace of his own; the harness's file stays as it is.
  const context = [
    'file=$(mktemp)',
    'kubectl config view --raw >$file',
    'export KUBECONFIG=$file',
    `kubectl config set-context --current --namespace=${kubectl.namespace}`,
  ]
  const startedMs = Date.now()
  await must('bash', ['-euo', 'pipefail'], [...exports, ...context, ...commandsOf(QUICKSTART)].join('\n'))
  const tookMs = Date.now() - startedMs
  const next = new Map<string, number>()
  const lines = (await kafka.readCommitted('totals')).map(({ value }) => String(value))
  for (const line of lines) {
    const { customer, orders } = JSON.parse(line) as { customer: string; orders: number }
    const wanted = (next.get(customer) ?? 0) + 1
    if (orders !== wanted) throw new Error(`${customer} ${wanted} is wanted in the topic, there is: ${line}`)
    next.set(customer, wanted)
  }
  if (lines.length < ORDERS_AT_LEAST)
    throw new Error(`Only ${lines.length} orders came out, wanted: ${ORDERS_AT_LEAST} at least`)
  return `all commands in ${(tookMs / 1000).toFixed(0)} s, ${lines.length} orders`
}
