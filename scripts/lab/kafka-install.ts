/**
 * Apache Kafka from Maven Central: its jars, without a distribution. They are kept in TAILRACE_LAB, else `~/.cache/tailrace-lab`, under the version: 92 files, 54 MB.
 *
 * Versions are pinned: 4.4.0 lacks kafka-tools on Maven Central, so ranges resolve to what cannot be had.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { labFolder } from './server.ts'

export const KAFKA_VERSION = '4.3.1'

const jars = join(labFolder, `kafka-${KAFKA_VERSION}`)
const JAVA_WANTED = 17

/** Why there is no Kafka to be had, in a line that says how to get it; undefined: there is. */
export function missingKafka(): string | undefined {
  if (!existsSync(jars))
    return 'Kafka: its jars are not there; download them (node scripts/with-node.mjs scripts/lab/kafka.ts install, needs Maven and Java 17 or newer)'
  if (javaMajor() < JAVA_WANTED) return `Kafka: there is no Java on the PATH, wanted: ${JAVA_WANTED} or newer`
  return undefined
}

/** 0: none. */
function javaMajor(): number {
  const { stdout, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return Number(/version "(\d+)/.exec(`${stdout}${stderr}`)?.[1] ?? 0)
}

/** Downloads the jars if they are not there. Throws when Maven or Java is missing, or Maven cannot get them. */
export function installKafka(): void {
  if (existsSync(jars)) return
  mkdirSync(labFolder, { recursive: true })
  const folder = mkdtempSync(join(labFolder, 'build-'))
  try {
    writeFileSync(join(folder, 'pom.xml'), POM)
    const to = join(folder, 'jars')
    const args = ['-q', '-B', '-f', join(folder, 'pom.xml'), 'dependency:copy-dependencies']
    args.push('-DincludeScope=runtime', '-DexcludeArtifactIds=slf4j-reload4j,reload4j', `-DoutputDirectory=${to}`)
    const { error, status, stdout, stderr } = spawnSync('mvn', args, { encoding: 'utf8' })
    if (error !== undefined) throw new Error(`Cannot download Kafka: ${error.message}, wanted: Maven on the PATH`)
    if (status !== 0) throw new Error(`Cannot download Kafka ${KAFKA_VERSION}: Maven says:\n${stdout}${stderr}`)
    renameSync(to, jars)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const missing = missingKafka()
  if (missing !== undefined) throw new Error(missing)
}

const dependency = (group: string, artifact: string, version: string) =>
  `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tailrace</groupId><artifactId>lab</artifactId><version>1</version><packaging>pom</packaging><dependencies>
${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
${dependency('org.apache.kafka', 'kafka-tools', KAFKA_VERSION)}
${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}
</dependencies></project>
`

/** Arguments of `java` up to the main class. Little heap: a broker needs 170 to 210 MB with 256. */
export function javaArguments({ heapMb = 256, quickStart = false } = {}): string[] {
  const path = readdirSync(jars)
    .toSorted()
    .map((name) => join(jars, name))
  return [
    `-Xmx${heapMb}m`,
    '-Xms64m',
    '-XX:+UseSerialGC',
    '-XX:-UsePerfData',
    // A tool ends before the better compiler would pay.
    ...(quickStart ? ['-XX:TieredStopAtLevel=1'] : []),
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
    '-cp',
    path.join(delimiter),
  ]
}

/** Runs one of Kafka's tools to its end and gives what it prints; throws when it fails. A second or two each, as Java starts. */
export async function kafkaTool(mainClass: string, args: readonly string[]): Promise<string> {
  const tool = spawn('java', [...javaArguments({ quickStart: true }), mainClass, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let complaint = ''
  tool.stdout.on('data', (text) => (printed += text))
  tool.stderr.on('data', (text) => (complaint += text))
  const code = await new Promise((resolve, reject) => tool.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${mainClass} ${args.join(' ')} ended with ${code}:\n${printed}${complaint}`)
  return printed
}
