/**
 * server.properties of one broker of the lab. Each is a controller too; listeners differ in how clients are let in.
 *
 * Settings that are not Kafka's own are for small and quick: few partitions of internal topics, as their first use creates all of them; short sessions, as a broker that was killed cannot
 * come back before its old session ends (13.7 s by default, 7.6 s so).
 */

/** How clients are let in: `MTLS` is TLS that wants a client's certificate; `PROXIED` is plaintext that tells clients another port. */
export type Listener = 'PLAINTEXT' | 'SASL_PLAINTEXT' | 'SSL' | 'SASL_SSL' | 'MTLS' | 'PROXIED'

export const LISTENERS: readonly Listener[] = ['PLAINTEXT', 'SASL_PLAINTEXT', 'SSL', 'SASL_SSL', 'MTLS', 'PROXIED']

/** One port for each listener, then the controller's. */
export const PORTS_PER_BROKER = LISTENERS.length + 1

export interface Login {
  username: string
  password: string
}

export interface BrokerProperties {
  /** From 1. */
  id: number
  /** Of all brokers: ports[id - 1][listener]. */
  ports: readonly (readonly number[])[]
  folder: string
  /** PEM: the broker's key and certificate, and the authority of clients'. */
  certs: { broker: string; ca: string }
  /** Logins by PLAIN; those by SCRAM are in the metadata log. The first may do everything. */
  users: readonly Login[]
  /** Refuse what no ACL allows. Who comes by PLAINTEXT, PROXIED, SSL or MTLS may do everything, so it is the others that are refused. */
  acls: boolean
  /** Ports that clients of PROXIED are told, one for each broker. */
  advertised?: readonly number[]
  /** Of this machine, where brokers listen and clients are told to come; 127.0.0.1 unless given. */
  host?: string | undefined
  config: Readonly<Record<string, string>>
}

export function brokerProperties(broker: BrokerProperties): string {
  const { id, ports, folder, certs, users, acls, advertised, host: address = '127.0.0.1', config } = broker
  const own = ports[id - 1]!
  const host = (listener: Listener) => (/SSL|MTLS/.test(listener) ? 'localhost' : address)
  const told = (listener: Listener, i: number) => (listener === 'PROXIED' ? (advertised?.[id - 1] ?? own[i]) : own[i])
  const copies = Math.min(3, ports.length)
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': ports.map((all, i) => `${i + 1}@${address}:${all[LISTENERS.length]}`).join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: [...LISTENERS, 'CONTROLLER'].map((name, i) => `${name}://${address}:${own[i]}`).join(),
    'advertised.listeners': LISTENERS.map((name, i) => `${name}://${host(name)}:${told(name, i)}`).join(),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,MTLS:SSL,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': certs.broker,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': certs.ca,
    'ssl.client.auth': 'none',
    'listener.name.mtls.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512,PLAIN',
    'log.dirs': `${folder}/data`,
    'num.partitions': 4,
    'default.replication.factor': copies,
    'min.insync.replicas': copies > 1 ? 2 : 1,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': copies > 1 ? 2 : 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 2,
    'group.initial.rebalance.delay.ms': 0,
    'log.cleaner.dedupe.buffer.size': 2 << 20,
    'log.segment.bytes': 64 << 20,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'background.threads': 2,
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
  }
  const plain = users.map(({ username, password }) => `user_${username}="${password}"`).join(' ')
  for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
    const jaas = (mechanism: string) => `listener.name.${listener}.${mechanism}.sasl.jaas.config`
    for (const mechanism of ['scram-sha-256', 'scram-sha-512'])
      properties[jaas(mechanism)] = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
    properties[jaas('plain')] = `org.apache.kafka.common.security.plain.PlainLoginModule required ${plain};`
  }
  if (acls) {
    properties['authorizer.class.name'] = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
    properties['super.users'] = `User:ANONYMOUS;User:CN=client;User:${users[0]!.username}`
  }
  return Object.entries({ ...properties, ...config })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
