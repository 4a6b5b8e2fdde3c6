/**
 * Both ends of the job under chaos: files, or topics of Kafka where `servers` is given. What lies between is the same.
 */
import { existsSync } from 'node:fs'
import type { Sink, Source } from 'tailrace'
import { type FileSinkOptions, fileSink, fileSource } from 'tailrace/connectors/files'
import { kafkaSink, kafkaSource } from 'tailrace/connectors/kafka'
import { json, jsonLines } from 'tailrace/formats/json'
import { textLines } from 'tailrace/formats/text'
import type { Event } from './events.ts'

export interface Ends {
  source: Source<Event>
  /** @param files how its files are, where they are files */
  sink(name: string, files?: Partial<FileSinkOptions<string>>): Sink<string>
}

export function endsOf({ servers, in: input, out }: Readonly<Record<string, string>>): Ends {
  if (servers === undefined) {
    return {
      source: fileSource({ path: input!, format: jsonLines<Event>(), chunkBytes: 4_096 }),
      sink: (name, files) => fileSink({ path: `${out}/${name}`, format: textLines(), ...files }),
    }
  }
  return {
    source: kafkaSource<Event>({
      ...{
        bootstrapServers: servers,
        topics: input!,
        groupId: `${input}-group`,
        bounded: 'latest',
        value: json<Event>(),
      },
      // What is not given back to the broker must come again soon.
      properties: { 'max.partition.fetch.bytes': 16_384, 'request.timeout.ms': 3_000 },
    }),
    sink: (name) =>
      kafkaSink<string>({
        ...{ bootstrapServers: servers, topic: out!, value: textLines(), key: keyOf },
        ...{ deliveryGuarantee: 'exactly-once', transactionalIdPrefix: `${out}-${name}` },
        properties: { 'request.timeout.ms': 3_000, 'batch.size': 8_192 },
      }),
  }
}

/** How long a reader waits that is ahead. */
const AHEAD_MS = 5

/** Each reader gives no more than so many records a second, and no more than the first ones before there is the file `hold`. */
export function pacedSource(
  source: Source<Event>,
  perSecond: number,
  hold: string | undefined,
  first: number,
): Source<Event> {
  return {
    ...source,
    createReader(context) {
      const reader = source.createReader(context)
      const poll = reader.poll.bind(reader)
      let startMs: number | undefined
      let given = 0
      let held = hold !== undefined
      reader.poll = (output, max) => {
        const nowMs = context.clock.monotonic()
        startMs ??= nowMs
        held &&= !existsSync(hold!)
        const due = Math.floor(((nowMs - startMs) / 1000) * perSecond)
        const most = Math.min(max, (held ? Math.min(first, due) : due) - given)
        if (most <= 0) {
          context.wakeAt(nowMs + AHEAD_MS)
          return 'idle'
        }
        const status = poll(output, most)
        if (status === 'more') given += most
        return status
      }
      return reader
    },
  }
}

/** `key-7` of `span key-7 500 3 12`. */
const keyOf = (line: string): string => line.split(' ')[1]!
