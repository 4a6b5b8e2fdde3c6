/**
 * The same job from a topic to a topic of an Apache Kafka that a run shares with others: topics of its own, read by an independent consumer of committed records.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KafkaBroker } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { expectedLines, makeInput } from './events.ts'
import type { Random } from './random.ts'
import { commonArgs, differences, RECORDS, type Scene } from './scene.ts'

const OUTPUT_PARTITIONS = 3
/** A broker takes 1 MB at once. */
const EVENTS_PER_REQUEST = 5_000
/** How long a broker that was killed is away, before it is started. */
const DOWN_MS = 200
/** For the markers of the last commit. */
const MARKERS_MS = 5_000
const MARKERS_STEP_MS = 250
const SILENT_MS = 1_500
const SLOW_MS = 1_000

/** Counts runs of one process: seeds may come again. */
let runs = 0

/** @param kafka with a proxy in front of its broker, where the network is to fail */
export async function makeKafkaScene(
  name: string,
  random: Random,
  kafka: KafkaBroker,
  records: number = RECORDS,
): Promise<Scene> {
  const input = makeInput(random, records)
  const folder = mkdtempSync(join(tmpdir(), `tailrace-chaos-${name}-`))
  const topic = `chaos-${name}-${process.pid}-${runs++}`
  const [source, target] = [`${topic}-in`, `${topic}-out`]
  // The events are of 1970, and the broker looks for what is too old every five minutes.
  const keep = { 'retention.ms': '-1' }
  await kafka.createTopic(source, input.files.length, keep)
  await kafka.createTopic(target, OUTPUT_PARTITIONS, keep)
  for (const [partition, events] of input.files.entries()) {
    for (let at = 0; at < events.length; at += EVENTS_PER_REQUEST) {
      const some = events.slice(at, at + EVENTS_PER_REQUEST)
      await kafka.produce(
        source,
        some.map((event) => ({ partition, key: event.key, value: JSON.stringify(event) })),
      )
    }
  }
  /** The broker is there again. */
  let up: Promise<void> = Promise.resolve()
  const onProxies = (fault: Parameters<typeof setFault>[1], ms: number) => {
    for (const proxy of kafka.proxies) setFault(proxy, fault)
    setTimeout(() => {
      for (const proxy of kafka.proxies) setFault(proxy, undefined)
    }, ms).unref()
  }
  return {
    folder,
    logFile: join(folder, 'log'),
    args: (life) => [
      ...commonArgs(life),
      '--servers',
      kafka.bootstrapServers,
      '--in',
      source,
      '--out',
      target,
      '--end',
      String(input.endMs),
    ],
    onOutside(what) {
      if (what === 'cut') for (const proxy of kafka.proxies) proxy.cut()
      else if (what === 'silent') {
        // Connections that are made from now on say nothing after a while.
        onProxies({ after: { bytes: 2_000, of: 'answers', then: 'silent' } }, SILENT_MS)
        for (const proxy of kafka.proxies) proxy.cut()
      } else if (what === 'slow') {
        onProxies({ delayMs: 150 }, SLOW_MS)
        for (const proxy of kafka.proxies) proxy.cut()
      } else {
        up = up.then(async () => {
          await kafka.kill()
          await new Promise((resolve) => setTimeout(resolve, DOWN_MS))
          await kafka.start()
        })
      }
    },
    async problems() {
      await up
      const wanted = expectedLines(input)
      // A broker answers a commit when it is decided, and then writes the markers that let readers on. What is open for longer was left behind.
      for (let waitedMs = 0; ; waitedMs += MARKERS_STEP_MS) {
        const records = await kafka.readCommitted(target)
        const found = differences(records.map(({ value }) => String(value)).sort(), wanted)
        if (found.length === 0 || waitedMs >= MARKERS_MS) return found
        await new Promise((resolve) => setTimeout(resolve, MARKERS_STEP_MS))
      }
    },
    async remove() {
      await up
      await kafka.admin((admin) => admin.deleteTopics({ topics: [source, target] }))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function setFault(
  proxy: KafkaBroker['proxies'][number],
  fault: ReturnType<KafkaBroker['proxies'][number]['fault']>,
): void {
  proxy.fault = () => fault
}
