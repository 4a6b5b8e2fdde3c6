/** The Flink of the lab: a session cluster of two JVMs with 2 slots, which the lab's own scripts download, build, drive and measure. */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Suites of the lab: object reuse off, as is Flink's default, and on. */
export const SUITES = ['heap', 'heap-reuse'] as const
export type Suite = (typeof SUITES)[number]

export interface Run {
  recordsPerSecond: number
  cpuNsPerRecord: number
  out: number
}

const CONNECTOR = join(import.meta.dirname, 'kafka-exactly-once')

/** What this machine lacks, in words; undefined if nothing. */
export function missingFlinkLab(directory: string): string | undefined {
  const wanted: [string, string[], RegExp?][] = [
    ['Java 17', ['java', '-version'], /version "17/],
    ['Maven', ['mvn', '-version']],
    ['Python 3', ['python3', '--version']],
    ['pip', ['pip', '--version']],
    ['unzip', ['unzip', '-v']],
  ]
  const absent = wanted.filter(([, [command, ...rest], pattern]) => {
    const { status, stdout, stderr } = spawnSync(command!, rest, { encoding: 'utf8' })
    return status !== 0 || (pattern !== undefined && !pattern.test(stdout + stderr))
  })
  if (absent.length > 0) {
    return `${absent.map(([name]) => name).join(', ')} missing: on Debian, apt-get install openjdk-17-jdk maven python3 python3-pip unzip`
  }
  if (!existsSync(join(directory, 'setup.sh'))) return `no Flink lab in ${directory}: give its directory by --lab`
  return undefined
}

/** Flink in a working directory, built there once. */
export class FlinkLab {
  readonly #lab: string
  readonly #work: string
  readonly #env: NodeJS.ProcessEnv

  constructor(lab: string, work: string) {
    this.#lab = resolve(lab)
    this.#work = resolve(work)
    this.#env = { ...process.env, WORK: this.#work, FLINK_HOME: join(this.#work, 'flink') }
    if (existsSync(this.#library('flink-bench.jar'))) return
    console.error(`Setting up Flink in ${work} (a download of about 200 MB) ...`)
    mkdirSync(work, { recursive: true })
    this.#build('bash', [join(this.#lab, 'setup.sh')])
  }

  /** One job of a suite in a fresh cluster. */
  run(suite: Suite, name: string): Promise<Run> {
    return this.#measure(name, 'bash', [join(this.#lab, 'run.sh'), suite, name])
  }

  /** The job kafka-exactly-once in a fresh cluster, with the given options of the program. */
  runKafkaExactlyOnce(options: Readonly<Record<string, string | number>>): Promise<Run> {
    const target = join(this.#work, 'kafka-target')
    const jar = join(target, 'flink-kafka-exactly-once.jar')
    if (!existsSync(jar)) {
      this.#build('mvn', ['-q', '-B', '-f', join(CONNECTOR, 'pom.xml'), 'package', `-Dbuild.dir=${target}`])
      const libraries = readdirSync(join(target, 'lib')).filter((file) => !/^(slf4j|lz4|snappy|zstd)/.test(file))
      for (const file of libraries) cpSync(join(target, 'lib', file), this.#library(file))
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
    return this.#measure('kafka-exactly-once', 'python3', [join(CONNECTOR, 'run.py'), this.#lab, jar, ...args])
  }

  #library(file: string): string {
    return join(this.#work, 'flink/lib', file)
  }

  #build(command: string, args: string[]): void {
    const { status } = spawnSync(command, args, { env: this.#env, stdio: ['ignore', 2, 2] })
    if (status !== 0) throw new Error(`Cannot set up Flink: ${command} ${args.join(' ')} ended with ${status}`)
  }

  /** The lab prints one object a line. */
  async #measure(name: string, command: string, args: string[]): Promise<Run> {
    const child = spawn(command, args, { env: this.#env, stdio: ['ignore', 'pipe', 2] })
    let text = ''
    for await (const chunk of child.stdout!) text += chunk
    const found = text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
    const { state, perSec, cores, out = 0 } = found[0] ?? {}
    if (state !== 'FINISHED') throw new Error(`Cannot measure Flink's ${name}: ${text.trim() || 'it printed nothing'}`)
    return { recordsPerSecond: perSec, cpuNsPerRecord: (cores / perSec) * 1e9, out }
  }
}
