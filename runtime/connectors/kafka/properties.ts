/**
 * The properties of Kafka's clients, by the names that its Java clients and Flink's connectors have given them. The tables of docs/connectors/kafka.md
 * are made from this one.
 */
import { TailraceError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'

export interface Property {
  /** Who reads it. */
  of: 'both' | 'source' | 'sink'
  /** What holds when it is not set; undefined: nothing. */
  standard?: string
  /** What it does, for the docs. */
  text: string
}

export const PROPERTIES = {
  'bootstrap.servers': {
    of: 'both',
    text: 'Brokers to begin with, `host:port` with commas between; also the option `bootstrapServers`, or KAFKA_BOOTSTRAP_SERVERS of the environment.',
  },
  'client.id': { of: 'both', text: "Name in the brokers' logs and quotas; `tailrace` when not given." },
  'client.id.prefix': { of: 'both', text: "The same; Flink's name for it." },
  'security.protocol': { of: 'both', standard: 'PLAINTEXT', text: 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.' },
  'sasl.mechanism': { of: 'both', standard: 'PLAIN', text: 'PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.' },
  'sasl.jaas.config': { of: 'both', text: '`… required username="…" password="…";`, as Java clients want it.' },
  'sasl.username': { of: 'both', text: 'Instead of sasl.jaas.config.' },
  'sasl.password': { of: 'both', text: 'Instead of sasl.jaas.config.' },
  'ssl.truststore.type': {
    of: 'both',
    standard: 'PEM',
    text: 'PEM. A JKS store is to be exported first: `keytool -exportcert -rfc`.',
  },
  'ssl.truststore.location': {
    of: 'both',
    text: "PEM file of the certificates that are trusted; the system's when not given.",
  },
  'ssl.truststore.certificates': { of: 'both', text: 'The same as text.' },
  'ssl.keystore.type': { of: 'both', standard: 'PEM', text: 'PEM or PKCS12.' },
  'ssl.keystore.location': { of: 'both', text: "File of the client's own certificate and key." },
  'ssl.keystore.password': { of: 'both', text: 'Of a PKCS12 file.' },
  'ssl.keystore.certificate.chain': { of: 'both', text: "The client's certificate as PEM text." },
  'ssl.keystore.key': { of: 'both', text: 'Its key as PEM text.' },
  'ssl.key.password': { of: 'both', text: 'Of an encrypted key.' },
  'ssl.endpoint.identification.algorithm': {
    of: 'both',
    standard: 'https',
    text: "Empty: the broker's name is not compared with its certificate.",
  },
  'request.timeout.ms': { of: 'both', standard: '30000', text: 'How long an answer may take.' },
  'socket.connection.setup.timeout.ms': { of: 'both', standard: '10000', text: 'How long a connection may take.' },
  'retry.backoff.ms': { of: 'both', standard: '100', text: 'Pause before the second try; it doubles with each.' },
  'retry.backoff.max.ms': { of: 'both', standard: '1000', text: 'The longest pause.' },
  'default.api.timeout.ms': {
    of: 'both',
    standard: '60000',
    text: 'Tries of anything but sending end after this time, and the job fails. From 5 s on a line of the log tells of them.',
  },
  'metadata.max.age.ms': {
    of: 'both',
    standard: '300000',
    text: 'How long it is believed who leads a partition, as long as nothing contradicts.',
  },
  'client.rack': {
    of: 'source',
    text: 'Rack of this client: brokers with a replica selector let it read from a replica nearby.',
  },
  'group.id': { of: 'source', text: 'Whose offsets are committed; also the option `groupId`.' },
  'isolation.level': {
    of: 'source',
    standard: 'read_uncommitted',
    text: 'read_committed: what belongs to open and aborted transactions is not seen.',
  },
  'fetch.min.bytes': { of: 'source', standard: '1', text: 'A broker answers when it has this much.' },
  'fetch.max.wait.ms': { of: 'source', standard: '500', text: 'Or after this time.' },
  'fetch.max.bytes': { of: 'source', standard: '52428800', text: 'Of an answer of one broker.' },
  'max.partition.fetch.bytes': {
    of: 'source',
    standard: '1048576',
    text: 'Of one partition in an answer; two such parts of each are in memory at most.',
  },
  'auto.offset.reset': {
    of: 'source',
    text: 'Where to go on when the offset is not in the partition any more, and when the group has committed none: earliest, latest, or none: the job fails.',
  },
  'partition.discovery.interval.ms': {
    of: 'source',
    standard: '300000',
    text: 'How often new and deleted partitions are looked for; 0 or less: once.',
  },
  'commit.offsets.on.checkpoint': {
    of: 'source',
    standard: 'true',
    text: 'Commit offsets to the group when a checkpoint is complete.',
  },
  'check.crcs': { of: 'source', standard: 'true', text: 'Compare the checksum of each batch.' },
  acks: { of: 'sink', standard: 'all', text: 'all, 1, or 0. With transactions always all.' },
  'enable.idempotence': {
    of: 'sink',
    standard: 'true',
    text: 'A batch that is sent again is not written twice; needs acks=all.',
  },
  'compression.type': { of: 'sink', standard: 'none', text: 'none, gzip, snappy, lz4 or zstd.' },
  'batch.size': { of: 'sink', standard: '65536', text: 'A batch of one partition is closed at this many bytes.' },
  'linger.ms': { of: 'sink', standard: '5', text: 'How long a batch that is not full may wait for more.' },
  'buffer.memory': {
    of: 'sink',
    standard: '33554432',
    text: 'Bytes of a writer that wait for brokers; at this the input is not read.',
  },
  'max.request.size': {
    of: 'sink',
    standard: '1048576',
    text: 'A larger record fails the job; requests are no larger.',
  },
  'delivery.timeout.ms': {
    of: 'sink',
    standard: '120000',
    text: 'A batch that no broker takes in this time fails the job.',
  },
  'transaction.timeout.ms': {
    of: 'sink',
    text: "After this time the broker aborts a transaction; chosen from the checkpoint settings and the broker's maximum when not given.",
  },
} as const satisfies Record<string, Property>

export type PropertyName = keyof typeof PROPERTIES

/** Known to Java clients, without meaning here; and why. */
export const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  'key.deserializer': 'formats are options of the source',
  'value.deserializer': 'formats are options of the source',
  'key.serializer': 'formats are options of the sink',
  'value.serializer': 'formats are options of the sink',
  'enable.auto.commit': 'offsets are committed when a checkpoint is complete',
  'auto.commit.interval.ms': 'offsets are committed when a checkpoint is complete',
  'max.poll.records': 'records are taken from a fetched part in place, as many as the job can use',
  'max.poll.interval.ms': 'partitions are assigned by the job, not by a group',
  'session.timeout.ms': 'partitions are assigned by the job, not by a group',
  'heartbeat.interval.ms': 'partitions are assigned by the job, not by a group',
  'group.instance.id': 'partitions are assigned by the job, not by a group',
  'group.protocol': 'partitions are assigned by the job, not by a group',
  'partition.assignment.strategy': 'partitions are assigned by the job, not by a group',
  'allow.auto.create.topics': 'topics are never created by reading or writing them',
  'exclude.internal.topics': 'a pattern never matches internal topics',
  'max.in.flight.requests.per.connection':
    'one request of a writer is under way to each broker, with all that waited for it',
  retries: 'delivery.timeout.ms bounds the tries',
  'max.block.ms': 'a full buffer holds the input back, whatever it takes',
  'partitioner.class': '`partitioner` is an option of the sink',
  'transactional.id': 'made from the option `transactionalIdPrefix`',
  'connections.max.idle.ms': 'connections are kept',
  'receive.buffer.bytes': 'the system chooses',
  'send.buffer.bytes': 'the system chooses',
  'metric.reporters': 'metrics are those of Tailrace',
  'metrics.num.samples': 'metrics are those of Tailrace',
  'metrics.sample.window.ms': 'metrics are those of Tailrace',
  'metrics.recording.level': 'metrics are those of Tailrace',
  'interceptor.classes': 'there are no Java classes to load',
  'ssl.protocol': 'the newest that both sides have',
  'ssl.enabled.protocols': 'TLS 1.2 and 1.3',
  'ssl.provider': 'OpenSSL of Node.js',
  'ssl.truststore.password': 'a PEM file has none',
  'client.dns.lookup': 'the system resolves names',
  'reconnect.backoff.ms': 'retry.backoff.ms holds for connections too',
  'reconnect.backoff.max.ms': 'retry.backoff.max.ms holds for connections too',
  'register.consumer.metrics': 'metrics are those of Tailrace',
  'register.producer.metrics': 'metrics are those of Tailrace',
}

const SECRET = /password|secret|jaas|\.key$/

/** What is wrong is TR-KAFKA-001; values that may be secret are not shown. */
export class Properties {
  readonly #given: Readonly<Record<string, string>>
  /** What the user should know, a line each: names that nobody knows. */
  readonly warnings: string[] = []

  constructor(given: Readonly<Record<string, string | number | boolean>> = {}) {
    // In JavaScript nothing keeps what the environment does not have from being given.
    const set = Object.entries(given).filter(([, value]) => value !== undefined && value !== null)
    this.#given = Object.fromEntries(set.map(([name, value]) => [name, String(value).trim()]))
    const known = [...Object.keys(PROPERTIES), ...Object.keys(WITHOUT_MEANING)]
    for (const name of Object.keys(this.#given)) {
      if (known.includes(name)) continue
      const near = nearest(name, known)
      this.warnings.push(`Unknown Kafka property "${name}"${near === undefined ? '' : `: did you mean "${near}"?`}`)
    }
  }

  /** Undefined when it is not set and has no standard value. An empty text counts as set. */
  text(name: PropertyName): string | undefined {
    return this.#given[name] ?? (PROPERTIES[name] as Property).standard
  }

  isSet(name: PropertyName): boolean {
    return this.#given[name] !== undefined
  }

  integer(name: PropertyName, { atLeast }: { atLeast: number }): number {
    const text = this.text(name)
    const value = Number(text)
    if (text === undefined || !/^-?\d+$/.test(text) || value < atLeast)
      throw this.refusal(name, `a whole number of ${atLeast} or more`)
    return value
  }

  boolean(name: PropertyName): boolean {
    return this.word(name, ['true', 'false']) === 'true'
  }

  /** One of some words, in any case; undefined when it is not set and has no standard value. */
  word<W extends string>(name: PropertyName, words: readonly W[]): W {
    const text = this.text(name)?.toLowerCase()
    const word = words.find((one) => one.toLowerCase() === text)
    if (word === undefined) throw this.refusal(name, `one of ${words.join(', ')}`)
    return word
  }

  refusal(name: PropertyName, wanted: string): TailraceError {
    const shown = SECRET.test(name) ? 'its value' : JSON.stringify(this.text(name) ?? '')
    return new TailraceError('TR-KAFKA-001', `Cannot use ${shown} for the Kafka property ${name}: ${wanted} is wanted`)
  }
}
