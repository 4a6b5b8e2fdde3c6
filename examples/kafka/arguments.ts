/**
 * What the command line says of Kafka: `--kafka.bootstrap kafka:9092`, and any property of Kafka's clients behind `--kafka.`, such as
 * `--kafka.security.protocol SASL_SSL`. Without the first the environment's KAFKA_BOOTSTRAP_SERVERS holds.
 */

export interface KafkaArguments {
  bootstrapServers?: string
  properties: Record<string, string>
}

const PREFIX = 'kafka.'

export function kafkaArguments(parameters: Readonly<Record<string, string>>): KafkaArguments {
  const given = Object.entries(parameters).filter(([name]) => name.startsWith(PREFIX))
  const { bootstrap, ...properties } = Object.fromEntries(
    given.map(([name, text]) => [name.slice(PREFIX.length), text]),
  )
  return { properties, ...(bootstrap !== undefined && { bootstrapServers: bootstrap }) }
}
