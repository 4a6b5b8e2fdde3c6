/**
 * A real S3 server for tests and for trying things by hand: versitygw, a Go program that keeps objects as files.
 *
 *     node scripts/with-node.mjs scripts/lab/s3.ts install      builds it, once (needs Go; a minute or two)
 *     node scripts/with-node.mjs scripts/lab/s3.ts              runs it until Ctrl-C, and prints how to reach it
 *
 * The program is kept in TAILRACE_LAB, else `~/.cache/tailrace-lab`; what it stores is in a directory that is removed when it stops. A server that runs already can be used
 * instead: TAILRACE_S3_ENDPOINT, TAILRACE_S3_BUCKET, TAILRACE_S3_ACCESS_KEY, TAILRACE_S3_SECRET_KEY.
 *
 * What to know: its keys are paths, so `a/b` and `a/b/c` cannot both be there. `--sidecar` is for file systems without extended attributes.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endServer, freePorts, labFolder, runByHand } from './server.ts'

const VERSION = 'v1.8.0'
const MODULE = 'github.com/versity/versitygw/cmd/versitygw'
const BUCKET = 'test'
const ACCESS_KEY = 'testkey'
const SECRET_KEY = 'testsecret'
const START_MS = 20_000
/** Characters of what it printed last, for the message of a failure. */
const OUTPUT_KEPT = 10_000

export interface S3Lab {
  endpoint: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
  stop(): Promise<void>
}

/** A server of our own, which can fail. */
export interface OwnS3Lab extends S3Lab {
  /** Objects are files in it, by their keys. */
  readonly folder: string
  /** Ends it in the middle of whatever it does; what it has stored stays. */
  kill(): Promise<void>
  /** After {@link kill}: again on the same port, with what it had stored. */
  start(): Promise<void>
  /** It stands still until SIGCONT; connections stay open. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

const program = join(labFolder, `versitygw-${VERSION}`)

/** Why there is no server to be had, in a line that says how to get one; undefined: there is. */
export function missingS3(): string | undefined {
  if (process.env.TAILRACE_S3_ENDPOINT !== undefined) return undefined
  return missingOwnS3()
}

/** The same for a server that is to be killed. */
export function missingOwnS3(): string | undefined {
  if (existsSync(program)) return undefined
  return 'S3: there is no server; build one (node scripts/with-node.mjs scripts/lab/s3.ts install, needs Go) or set TAILRACE_S3_ENDPOINT'
}

/** Builds the program if it is not there. Throws when Go is missing, or the build fails. */
export function installS3(): void {
  if (existsSync(program)) return
  mkdirSync(labFolder, { recursive: true })
  const folder = mkdtempSync(join(labFolder, 'build-'))
  try {
    const { error, status, stderr } = spawnSync('go', ['install', `${MODULE}@${VERSION}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '-trimpath' },
      encoding: 'utf8',
    })
    if (error !== undefined) throw new Error(`Cannot build ${MODULE}: ${error.message}, wanted: Go on the PATH`)
    if (status !== 0) throw new Error(`Cannot build ${MODULE}@${VERSION}: go install says:\n${stderr}`)
    renameSync(join(folder, 'versitygw'), program)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Starts a server of its own on a free port, with a bucket; or gives the one of the environment. */
export async function startS3(): Promise<S3Lab> {
  const { TAILRACE_S3_ENDPOINT: given, TAILRACE_S3_BUCKET: bucket = BUCKET } = process.env
  if (given !== undefined)
    return {
      endpoint: given,
      bucket,
      accessKeyId: process.env.TAILRACE_S3_ACCESS_KEY ?? '',
      secretAccessKey: process.env.TAILRACE_S3_SECRET_KEY ?? '',
      stop: async () => {},
    }
  return startOwnS3()
}

/** The program must be there. @param host of this machine, where clients that are not on it reach the server */
export async function startOwnS3({ host = '127.0.0.1' }: { host?: string } = {}): Promise<OwnS3Lab> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-s3-'))
  for (const name of ['data', 'meta']) mkdirSync(join(folder, name))
  const [port] = await freePorts(1)
  let output = ''
  const spawnServer = () => {
    const child = spawn(
      program,
      ['--port', `${host}:${port}`, 'posix', '--sidecar', join(folder, 'meta'), join(folder, 'data')],
      {
        env: { ...process.env, ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    output = ''
    child.stdout.on('data', (data) => (output = (output + data).slice(-OUTPUT_KEPT)))
    child.stderr.on('data', (data) => (output = (output + data).slice(-OUTPUT_KEPT)))
    return child
  }
  let server = spawnServer()
  // A server must not outlive whoever started it.
  const kill = () => {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', kill)
  const stop = async () => {
    process.removeListener('exit', kill)
    await endServer(server, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  const lab = {
    endpoint: `http://${host}:${port}`,
    bucket: BUCKET,
    accessKeyId: ACCESS_KEY,
    secretAccessKey: SECRET_KEY,
    stop,
    folder: join(folder, 'data', BUCKET),
    kill: () => endServer(server, 'SIGKILL'),
    start: async () => {
      server = spawnServer()
      await untilOpen(host, port!, server)
    },
    signal: (signal: 'SIGSTOP' | 'SIGCONT') => void server.kill(signal),
  }
  try {
    await untilOpen(host, port!, server)
    await makeBucket(lab)
  } catch (error) {
    await stop()
    throw new Error(`Cannot start ${program}: ${(error as Error).message}; it printed:\n${output}`, { cause: error })
  }
  return lab
}

async function untilOpen(host: string, port: number, server: ChildProcess): Promise<void> {
  for (const untilMs = Date.now() + START_MS; Date.now() < untilMs; ) {
    if (server.exitCode !== null) throw new Error(`it ended with code ${server.exitCode}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, host)
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it does not listen after ${START_MS / 1000} s`)
}

async function makeBucket({ endpoint, bucket, accessKeyId, secretAccessKey }: S3Lab): Promise<void> {
  const { S3Client, CreateBucketCommand } = await import('@aws-sdk/client-s3')
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
}

if (import.meta.main)
  await runByHand('Usage: node scripts/with-node.mjs scripts/lab/s3.ts [install]', {
    install() {
      installS3()
      console.log(program)
    },
    missing: missingS3,
    async run() {
      const { endpoint, bucket, accessKeyId, secretAccessKey } = await startS3()
      console.log(`place: s3://${bucket}/checkpoints`)
      console.log(`s3.endpoint: ${endpoint}\ns3.access-key: ${accessKeyId}\ns3.secret-key: ${secretAccessKey}`)
    },
  })
