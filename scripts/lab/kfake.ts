/**
 * kfake (scripts/lab/kfake/): a Kafka broker in memory that is ready in milliseconds, a reader of committed records that shares no code with us, and certificates for tests.
 *
 *     node scripts/with-node.mjs scripts/lab/kfake.ts install     builds it, once (needs Go 1.26 or newer; a minute or two)
 *     node scripts/with-node.mjs scripts/lab/kfake.ts             runs one broker until Ctrl-C, and prints how to reach it
 *
 * The program is kept in TAILRACE_LAB, else `~/.cache/tailrace-lab`, under a hash of its sources.
 *
 * What to know: where it differs from Kafka, Kafka is right. A SIGKILL aborts its open transactions. A producer that is fenced is told 90 (Kafka: 47), initializing over an open transaction raises the epoch by 1 (Kafka: 2),
 * transactions that timed out are aborted at once, brokers are numbered from 0. It is slower than Kafka: no benchmarks on it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endServer, freePorts, labFolder, runByHand, startServer } from './server.ts'

const sources = join(import.meta.dirname, 'kfake')
const START_MS = 20_000

/** A login of kfake. */
export interface KfakeUser {
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  username: string
  password: string
}

export interface KfakeOptions {
  /** How many brokers; 1 unless said. */
  brokers?: number
  /** Keep data in files, so that {@link Kfake.start} finds it again. */
  durable?: boolean
  /** Topics that are there from the start, with their number of partitions. */
  topics?: Readonly<Record<string, number>>
  /** Logins; with one, every client has to log in. The first may do everything, the others what ACLs say if there are `acls`. */
  users?: readonly KfakeUser[]
  /** Refuse what no ACL allows. */
  acls?: boolean
  /** Speak TLS only; `required`: clients have to show a certificate. */
  tls?: { certs: Certificates; clientCertificate?: 'required' }
  /** Ports that clients are told instead of the brokers' own, one for each: those of proxies. */
  advertised?: readonly number[]
  /** Settings of the brokers, as `message.max.bytes`. */
  config?: Readonly<Record<string, string>>
  /** A version of Kafka to look like, as `3.9`. */
  asVersion?: string
}

export interface Kfake {
  /** Of the brokers themselves, `127.0.0.1:PORT,...`, also when others are advertised. */
  readonly bootstrapServers: string
  readonly ports: readonly number[]
  /** SIGKILL to all brokers, which are one process. What is durable stays, but open transactions are aborted, unlike Kafka's. */
  kill(): Promise<void>
  /** Cuts all connections and ends the brokers; with `durable`, open transactions stay open. */
  close(): Promise<void>
  /** Starts them again on the same ports; what was not durable is gone. */
  start(): Promise<void>
  /** Ends it for good and removes its data. */
  stop(): Promise<void>
}

/** PEM files: an authority, what it signed for `localhost` and `127.0.0.1` and for a client (key and certificate in one file), and another authority. */
export interface Certificates {
  ca: string
  broker: string
  client: string
  otherCa: string
}

/** One committed record, as read by somebody else. */
export interface ReadRecord {
  partition: number
  offset: number
  timestampMs: number
  key: Buffer | null
  value: Buffer | null
  headers: { key: string; value: Buffer | null }[]
}

export interface ReadOptions {
  bootstrapServers: string
  topic: string
  /** Also what is in open or aborted transactions. */
  uncommitted?: boolean
  /** By SASL PLAIN. */
  login?: { username: string; password: string }
  /** Speak TLS, and trust this file. */
  ca?: string
  /** Show this certificate. */
  client?: string
  /** `host:port` to connect to instead of what a broker tells. */
  redirect?: Readonly<Record<string, string>>
  timeoutMs?: number
}

function kfakeProgram(): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(sources).toSorted()) hash.update(name).update(readFileSync(join(sources, name)))
  return join(labFolder, `kfake-${hash.digest('hex').slice(0, 12)}`)
}

/** Why there is no kfake to be had, in a line that says how to get it; undefined: there is. */
export function missingKfake(): string | undefined {
  if (existsSync(kfakeProgram())) return undefined
  return 'kfake: it is not built; build it (node scripts/with-node.mjs scripts/lab/kfake.ts install, needs Go 1.26 or newer)'
}

/** Builds the program if it is not there. Throws when Go is missing, or the build fails. */
export function installKfake(): string {
  const program = kfakeProgram()
  if (existsSync(program)) return program
  mkdirSync(labFolder, { recursive: true })
  const folder = mkdtempSync(join(labFolder, 'build-'))
  try {
    const built = join(folder, 'kfake')
    const { error, status, stderr } = spawnSync('go', ['build', '-trimpath', '-buildvcs=false', '-o', built, '.'], {
      cwd: sources,
      encoding: 'utf8',
    })
    if (error !== undefined)
      throw new Error(`Cannot build kfake: ${error.message}, wanted: Go 1.26 or newer on the PATH`)
    if (status !== 0) throw new Error(`Cannot build kfake: go build says:\n${stderr}`)
    renameSync(built, program)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return program
}

/** Starts brokers of their own on free ports. */
export async function startKfake(options: KfakeOptions = {}): Promise<Kfake> {
  const program = kfakeProgram()
  const ports = await freePorts(options.brokers ?? 1)
  const data = options.durable === true ? mkdtempSync(join(tmpdir(), 'tailrace-kfake-')) : undefined
  const args = ['serve', ...flags(options, ports, data)]
  const start = () => startServer({ program, args, ready: 'ready', readyWithinMs: START_MS })
  const remove = () => data !== undefined && rmSync(data, { recursive: true, force: true })
  let server = await start().catch((error) => {
    remove()
    throw error
  })
  return {
    bootstrapServers: ports.map((port) => `127.0.0.1:${port}`).join(),
    ports,
    kill: () => endServer(server, 'SIGKILL'),
    close: () => endServer(server, 'SIGTERM'),
    async start() {
      server = await start()
    },
    async stop() {
      await endServer(server, 'SIGKILL')
      remove()
    },
  }
}

function flags(options: KfakeOptions, ports: readonly number[], data: string | undefined): string[] {
  const { topics = {}, users = [], acls, tls, advertised, config = {}, asVersion } = options
  const all = ['-ports', ports.join()]
  if (data !== undefined) all.push('-data', data)
  if (advertised !== undefined) all.push('-advertised', advertised.join())
  if (asVersion !== undefined) all.push('-as-version', asVersion)
  if (acls === true) all.push('-acls')
  if (tls !== undefined) all.push('-cert', tls.certs.broker)
  if (tls?.clientCertificate !== undefined) all.push('-client-ca', tls.certs.ca)
  for (const [name, partitions] of Object.entries(topics)) all.push('-topic', `${name}=${partitions}`)
  users.forEach(({ mechanism, username, password }, i) =>
    all.push(i === 0 ? '-superuser' : '-user', `${mechanism}:${username}=${password}`),
  )
  for (const [name, value] of Object.entries(config)) all.push('-config', `${name}=${value}`)
  return all
}

/** Makes certificates in a directory that is there. */
export function makeCertificates(folder: string): Certificates {
  const { status, stderr, error } = spawnSync(kfakeProgram(), ['certs', '-out', folder], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Cannot make certificates in ${folder}: ${error?.message ?? stderr}`)
  const file = (name: string) => join(folder, name)
  return { ca: file('ca.pem'), broker: file('broker.pem'), client: file('client.pem'), otherCa: file('other-ca.pem') }
}

/**
 * Reads a topic of kfake or of Kafka, from its oldest records to what is stable now, by franz-go: each partition in its order, one after the other.
 *
 * @throws Error when it cannot be read to its end within `timeoutMs` (30 s unless said)
 */
export async function readRecords(options: ReadOptions): Promise<ReadRecord[]> {
  const { bootstrapServers, topic, uncommitted, login, ca, client, redirect = {}, timeoutMs = 30_000 } = options
  const args = ['read', '-brokers', bootstrapServers, '-topic', topic, '-timeout', `${Math.ceil(timeoutMs / 1000)}`]
  if (uncommitted === true) args.push('-uncommitted')
  if (login !== undefined) args.push('-login', `${login.username}=${login.password}`)
  if (ca !== undefined) args.push('-ca', ca)
  if (client !== undefined) args.push('-cert', client)
  for (const [from, to] of Object.entries(redirect)) args.push('-redirect', `${from}=${to}`)
  const reader = spawn(kfakeProgram(), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  let complaint = ''
  reader.stdout.on('data', (chunk) => chunks.push(chunk))
  reader.stderr.on('data', (text) => (complaint += text))
  const code = await new Promise((resolve, reject) => reader.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`Cannot read topic "${topic}" from ${bootstrapServers}: ${complaint.trim()}`)
  const lines = Buffer.concat(chunks).toString().split('\n')
  return lines.filter((line) => line !== '').map((line) => bytesOf(JSON.parse(line)))
}

function bytesOf(line: any): ReadRecord {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'))
  const headers = line.headers.map((header: any) => ({ key: header.key, value: bytes(header.value) }))
  return { ...line, key: bytes(line.key), value: bytes(line.value), headers }
}

if (import.meta.main)
  await runByHand('Usage: node scripts/with-node.mjs scripts/lab/kfake.ts [install]', {
    install: () => console.log(installKfake()),
    missing: missingKfake,
    run: async () => console.log(`KAFKA_BOOTSTRAP_SERVERS=${(await startKfake()).bootstrapServers}`),
  })
