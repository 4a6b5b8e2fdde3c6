import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Properties } from '../properties.ts'
import { connectionSettings } from './connection-settings.ts'

type Given = Record<string, string | number | boolean>
const settings = (given: Given = {}, servers: string | string[] | undefined = 'a:9092', environment = {}) =>
  connectionSettings(new Properties(given), servers, environment)
const SASL = { 'security.protocol': 'SASL_PLAINTEXT' }
const TLS = { 'security.protocol': 'SSL' }

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kafka-settings-'))
  writeFileSync(join(folder, 'ca.pem'), 'the ca')
  writeFileSync(join(folder, 'own.pem'), 'cert and key')
  writeFileSync(join(folder, 'own.p12'), 'pkcs12')
})
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string) => join(folder, name)

test.each([
  ['the option', 'a:1, b:2,', { 'bootstrap.servers': 'c:3' }, { KAFKA_BOOTSTRAP_SERVERS: 'd:4' }, ['a:1', 'b:2']],
  ['the option as a list', ['a:1', ' b:2 '], {}, {}, ['a:1', 'b:2']],
  ['the property', undefined, { 'bootstrap.servers': 'c:3' }, { KAFKA_BOOTSTRAP_SERVERS: 'd:4' }, ['c:3']],
  ['the environment', undefined, {}, { KAFKA_BOOTSTRAP_SERVERS: 'd:4,[::1]:5' }, ['d:4', '[::1]:5']],
] as const)('brokers of %s', (_what, servers, properties, environment, wanted) => {
  const given = connectionSettings(new Properties(properties), servers, environment)
  expect(given.bootstrapServers).toEqual(wanted)
})

test('without more there is neither TLS nor login', () => {
  expect(settings()).toEqual({
    bootstrapServers: ['a:9092'],
    clientId: 'tailrace',
    ssl: undefined,
    sasl: undefined,
    connectionTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1000,
    apiTimeoutMs: 60_000,
    metadataMaxAgeMs: 300_000,
  })
  expect(settings({ 'client.id.prefix': 'x' }).clientId).toBe('x')
  expect(settings({ 'client.id.prefix': 'x', 'client.id': 'y' }).clientId).toBe('y')
})

const jaas = (fields: string) => `org.apache.kafka.common.security.plain.PlainLoginModule required ${fields};`
test.each<[string, Given, { username: string; password: string }]>([
  ['of two properties', { 'sasl.username': 'ann', 'sasl.password': 'p"w' }, { username: 'ann', password: 'p"w' }],
  ['of JAAS', { 'sasl.jaas.config': jaas('username="ann" password="pw"') }, { username: 'ann', password: 'pw' }],
  [
    'of JAAS, over lines',
    { 'sasl.jaas.config': jaas('\n  username = "ann"\n  password="pw"\n') },
    { username: 'ann', password: 'pw' },
  ],
  [
    'of JAAS, with marks in it',
    { 'sasl.jaas.config': jaas('username="a\\"n" password="p\\\\;=w\'"') },
    { username: 'a"n', password: "p\\;=w'" },
  ],
  [
    'of JAAS, in single quotes and in none',
    { 'sasl.jaas.config': jaas("username=ann password='p w'") },
    { username: 'ann', password: 'p w' },
  ],
  ['of JAAS, empty', { 'sasl.jaas.config': jaas('username="" password=""') }, { username: '', password: '' }],
])('a login %s', (_what, given, wanted) => {
  expect(settings({ ...SASL, ...given }).sasl).toEqual({ mechanism: 'plain', ...wanted })
})

test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])('a login by %s', (mechanism) => {
  const { sasl } = settings({ ...SASL, 'sasl.mechanism': mechanism, 'sasl.username': 'a', 'sasl.password': 'b' })
  expect(sasl!.mechanism).toBe(mechanism.toLowerCase())
})

test('TLS with files, and with texts', () => {
  const files = {
    'ssl.truststore.location': file('ca.pem'),
    'ssl.keystore.location': file('own.pem'),
    'ssl.key.password': 'k',
  }
  const own = Buffer.from('cert and key')
  expect(settings({ ...TLS, ...files }).ssl).toEqual({
    ca: Buffer.from('the ca'),
    cert: own,
    key: own,
    passphrase: 'k',
  })
  const texts = { 'ssl.truststore.certificates': 'CA', 'ssl.keystore.certificate.chain': 'C', 'ssl.keystore.key': 'K' }
  expect(settings({ ...TLS, ...texts }).ssl).toEqual({ ca: 'CA', cert: 'C', key: 'K' })
})

test('TLS with a PKCS12 store', () => {
  const store = {
    'ssl.keystore.type': 'pkcs12',
    'ssl.keystore.location': file('own.p12'),
    'ssl.keystore.password': 's',
  }
  expect(settings({ ...TLS, ...store }).ssl).toEqual({ pfx: Buffer.from('pkcs12'), passphrase: 's' })
})

test('names of brokers are compared with their certificates unless the algorithm is empty', () => {
  expect(settings(TLS).ssl).toEqual({})
  const { ssl } = settings({ ...TLS, 'ssl.endpoint.identification.algorithm': '' })
  expect(ssl!.checkServerIdentity!('a', {} as never)).toBeUndefined()
})

test('TLS and login together', () => {
  const { ssl, sasl } = settings({ 'security.protocol': 'sasl_ssl', 'sasl.username': 'a', 'sasl.password': 'b' })
  expect([ssl, sasl]).toEqual([{}, { mechanism: 'plain', username: 'a', password: 'b' }])
})

test.each<[Given, string | undefined, string]>([
  [{}, '', 'no brokers are given, wanted is the option "bootstrapServers"'],
  [{}, 'kafka', 'Cannot use "kafka" as a Kafka broker: host and port are wanted'],
  [{}, 'kafka:0', 'Cannot use "kafka:0" as a Kafka broker'],
  [{}, 'kafka:70000', 'Cannot use "kafka:70000" as a Kafka broker'],
  [{}, 'kafka:9092/x', 'Cannot use "kafka:9092/x" as a Kafka broker'],
  [
    { 'security.protocol': 'TLS' },
    'a:1',
    'Cannot use "TLS" for the Kafka property security.protocol: one of PLAINTEXT, SSL',
  ],
  [{ ...SASL, 'sasl.mechanism': 'GSSAPI' }, 'a:1', 'Cannot use "GSSAPI" for the Kafka property sasl.mechanism'],
  [
    { ...SASL, 'sasl.mechanism': 'SCRAM-SHA-256' },
    'a:1',
    'Cannot log in to Kafka by SCRAM-SHA-256: there is no username',
  ],
  [
    { ...SASL, 'sasl.username': 'ann' },
    'a:1',
    'there is no password, wanted is sasl.password, or sasl.jaas.config with password="…"',
  ],
  [
    { ...TLS, 'ssl.truststore.type': 'JKS' },
    'a:1',
    'Cannot use "JKS" for the Kafka property ssl.truststore.type: PEM (export',
  ],
  [
    { ...TLS, 'ssl.keystore.type': 'JKS' },
    'a:1',
    'Cannot use "JKS" for the Kafka property ssl.keystore.type: one of PEM, PKCS12',
  ],
  [
    { ...TLS, 'ssl.truststore.location': '/nowhere/ca.pem' },
    'a:1',
    'Cannot read the file "/nowhere/ca.pem" of the Kafka property ssl.truststore.location: ENOENT',
  ],
  [{ 'request.timeout.ms': 'soon' }, 'a:1', 'request.timeout.ms: a whole number of 1 or more'],
])('%j with %j is refused', (given, servers, text) => {
  expect(() => settings(given, servers as string)).toThrow(
    expect.objectContaining({ code: 'TR-KAFKA-001', message: expect.stringContaining(text) }),
  )
})

test('a login that is not whole does not show what there is of it', () => {
  expect(() => settings({ ...SASL, 'sasl.jaas.config': jaas('password="hunter2"') })).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
  )
})
