/**
 * Both ends of the job under chaos: files, or topics of Kafka where `servers` is given. What lies between is the same.
 */
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

/** `key-7` of `span key-7 500 3 12`. */
const keyOf = (line: string): string => line.split(' ')[1]!
