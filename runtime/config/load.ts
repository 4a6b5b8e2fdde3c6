/**
 * Puts the configuration of a process together: a file, then FLINK_PROPERTIES and TAILRACE_PROPERTIES, then -D, each over what came before.
 *
 * Every key comes out in its newest spelling, and every value has been held to its type, so that a mistake is told where it was made, before anything starts. What is not known or has no
 * effect is noted and never silently dropped: unknown values stay, for programs.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { TailraceError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { knownKeys, lookUp } from './catalogue.ts'
import { type Entry, readLines } from './line-file.ts'
import { joinPairs } from './lists.ts'
import { namesOf, type Option } from './option.ts'
import { OPTIONS, optionsNamed } from './options.ts'
import { PENDING } from './pending.ts'
import { shown } from './secrets.ts'
import { Unfit } from './types.ts'

export interface ConfigurationSources {
  /** The directory of `config.yaml` or `flink-conf.yaml`. */
  directory?: string | undefined
  /** A file by itself, instead of a directory. */
  file?: string | undefined
  /** Of -D, in their order. */
  properties?: Readonly<Record<string, string>>
  /** TAILRACE_CONF_DIR, FLINK_CONF_DIR, TAILRACE_PROPERTIES, FLINK_PROPERTIES, and what `${…}` names. */
  environment?: Readonly<Record<string, string | undefined>>
  /** Where `conf/config.yaml` is looked for when nothing names a directory. */
  cwd?: string
}

export interface Note {
  /** `debug`: works, and is said to whoever wants to know all. */
  level: 'warn' | 'debug'
  text: string
}

export interface Configuration {
  /** Newest key to text, for the options that were set. */
  values: Record<string, string>
  /** The file that was read. */
  file: string | undefined
  notes: Note[]
}

/** A value on its way, and where it was given: `config.yaml:3`, `-D`, `FLINK_PROPERTIES`. */
interface Given {
  key: string
  text: string
  where: string
}

/**
 * Throws TR-CONFIG-001 for a value that cannot be used, and TR-CONFIG-002 for a file that cannot be read.
 *
 * @example
 * (await loadConfiguration({ directory: '/etc/tailrace', properties: { 'parallelism.default': '4' }, environment: process.env })).values
 */
export async function loadConfiguration({
  directory,
  file,
  properties = {},
  environment = {},
  cwd = process.cwd(),
}: ConfigurationSources): Promise<Configuration> {
  const notes: Note[] = []
  const note = (level: Note['level'], text: string) => void notes.push({ level, text })
  const path = file === undefined ? findFile(directory, environment, cwd, note) : resolve(cwd, file)
  const layers: Given[][] = [path === undefined ? [] : await readFile(path, note)]
  for (const name of ['FLINK_PROPERTIES', 'TAILRACE_PROPERTIES']) {
    const { entries, others } = readLines(environment[name] ?? '')
    for (const line of others) note('warn', `Line ${line} of ${name} is left out: it is no "key: value"`)
    layers.push(entries.map(({ key, text }) => ({ key, text, where: name })))
  }
  layers.push(Object.entries(properties).map(([key, text]) => ({ key, text, where: '-D' })))
  const values: Record<string, string> = {}
  const noted = new Set<string>()
  for (const layer of layers) {
    const given = layer.map((one) => ({ ...one, text: substituted(one, environment) }))
    for (const one of given) check(one, noted, note)
    mergeLayer(values, given, note)
  }
  return { values, file: path, notes }
}

function findFile(
  given: string | undefined,
  environment: ConfigurationSources['environment'] & object,
  cwd: string,
  note: (level: Note['level'], text: string) => void,
): string | undefined {
  const named = given ?? (environment.TAILRACE_CONF_DIR || environment.FLINK_CONF_DIR || undefined)
  const directory = resolve(cwd, named ?? 'conf')
  const [yaml, lines] = ['config.yaml', 'flink-conf.yaml'].map((name) => join(directory, name))
  if (existsSync(yaml!)) {
    if (named !== undefined && existsSync(lines!)) note('warn', `${lines} is left out, as ${yaml} is there too`)
    return yaml
  }
  if (named === undefined) return undefined
  if (existsSync(lines!)) return lines
  const by = given !== undefined ? '' : ` (${environment.TAILRACE_CONF_DIR ? 'TAILRACE_CONF_DIR' : 'FLINK_CONF_DIR'})`
  throw new TailraceError(
    'TR-CONFIG-002',
    `Cannot read the configuration in ${directory}${by}: it has neither config.yaml nor flink-conf.yaml`,
  )
}

async function readFile(path: string, note: (level: Note['level'], text: string) => void): Promise<Given[]> {
  let source: string
  try {
    source = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TailraceError('TR-CONFIG-002', `Cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
  let entries: Entry[]
  if (/flink-conf\.ya?ml$/.test(path)) {
    const read = readLines(source)
    entries = read.entries
    for (const line of read.others) note('warn', `${path}:${line} is left out: it is no "key: value"`)
  } else {
    // Few commands have a file, and YAML is long to load.
    const { readYaml } = await import('./yaml-file.ts')
    entries = readYaml(path, source, isMapOption)
  }
  return entries.map(({ key, text, line }) => ({ key, text, where: `${path}:${line}` }))
}

function isMapOption(key: string): boolean {
  return optionsNamed(key).some(({ type }) => type.name === 'map')
}

/** `${NAME}` and `${NAME:-otherwise}` are replaced; `$${` stands for `${`. */
function substituted(given: Given, environment: Readonly<Record<string, string | undefined>>): string {
  const { key, text, where } = given
  return text.replace(/\$?\$\{([^}]*)\}/g, (whole, inner: string) => {
    if (whole.startsWith('$$')) return whole.slice(1)
    const [, name, otherwise] = /^\s*([A-Za-z_]\w*)\s*(?::-(.*))?$/s.exec(inner) ?? []
    if (name === undefined)
      throw refusal(
        given,
        `"${shown(key, whole)}" names no variable; \${NAME} or \${NAME:-otherwise} is wanted, and $\${ for the characters themselves`,
      )
    const value = environment[name] || otherwise
    if (value !== undefined) return value
    throw new TailraceError(
      'TR-CONFIG-001',
      `Cannot use "${whole}" for ${key} (${where}): the environment has no ${name}; set it, or write \${${name}:-otherwise}`,
    )
  })
}

/** Holds one value to what is known of its key. */
function check(given: Given, noted: Set<string>, note: (level: Note['level'], text: string) => void): void {
  const { key, text, where } = given
  const once = (level: Note['level'], what: string) => {
    if (noted.has(key)) return
    noted.add(key)
    note(level, `${key} (${where}) ${what}`)
  }
  const known = lookUp(key)
  if (known === undefined) {
    const meant = nearest(key, knownKeys())
    once('warn', `is not known${meant === undefined ? '' : `: is ${meant} meant?`}`)
    return
  }
  if (known.kind === 'without effect') {
    once(known.entry.warn ? 'warn' : 'debug', `has no effect: ${known.entry.why}`)
    return
  }
  if (text.trim() === '') return
  if (known.kind === 'refused') {
    if (known.refused.harmless.some((one) => one.toLowerCase() === text.trim().toLowerCase())) return
    throw refusal(given, known.refused.why)
  }
  for (const option of known.options) {
    const isName = namesOf(option).includes(key)
    if (isName || option.fallback.includes(key)) parse(option, given)
    if (PENDING.has(option.key)) once('warn', 'has no effect yet')
    else if (isName && key !== option.key) once('debug', `is an older name of ${option.key}`)
  }
}

function parse(option: Option<unknown>, given: Given): void {
  try {
    option.type.parse(given.text.trim())
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    throw refusal(given, `${error.message} is wanted`, error.cause)
  }
}

function refusal({ key, text, where }: Given, why: string, cause?: unknown): TailraceError {
  return new TailraceError('TR-CONFIG-001', `Cannot use "${shown(key, text)}" for ${key} (${where}): ${why}`, { cause })
}

/** Lays a layer over the values, under newest names. Within a layer the newest name of a setting wins, and of one name the last value. */
function mergeLayer(
  values: Record<string, string>,
  layer: readonly Given[],
  note: (level: Note['level'], text: string) => void,
): void {
  const last = new Map<string, Given>()
  for (const given of layer) {
    const before = last.get(given.key)
    if (before !== undefined && before.text !== given.text)
      note('warn', `${given.key} is given twice: ${given.where} holds, and not ${before.where}`)
    last.set(given.key, given)
  }
  const parts = new Map<Option<unknown>, [name: string, value: string][]>()
  const renamed = new Set<string>()
  for (const option of OPTIONS) {
    const set = namesOf(option).flatMap((name) => last.get(name) ?? [])
    const [newest, ...others] = set
    if (newest === undefined) continue
    const different = others.filter(({ text }) => text.trim() !== newest.text.trim())
    for (const { key } of set) renamed.add(key)
    if (different.length > 0 && option.strict) {
      // Whoever reads it refuses two that differ, so it gets both.
      for (const { key, text } of set) values[key] = text
      continue
    }
    for (const { key, where } of different)
      note(
        'warn',
        `${newest.key} (${newest.where}) and ${key} (${where}) are two names of one setting: the first one holds`,
      )
    for (const name of namesOf(option)) delete values[name]
    if (newest.text.trim() !== '') values[option.key] = newest.text
  }
  for (const { key, text } of last.values()) {
    if (renamed.has(key)) continue
    const known = lookUp(key)
    const [map] = known?.kind === 'option' ? known.options : []
    if (map?.type.name === 'map' && key.startsWith(`${map.key}.`))
      parts.set(map, [...(parts.get(map) ?? []), [key.slice(map.key.length + 1), text]])
    else values[key] = text
  }
  for (const [option, pairs] of parts) {
    const before = option.type.parse(values[option.key] ?? '') as Record<string, string>
    values[option.key] = joinPairs(Object.entries({ ...before, ...Object.fromEntries(pairs) }))
  }
}
