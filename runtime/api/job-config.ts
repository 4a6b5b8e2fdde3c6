/**
 * The settings of a job as its program sees them: configuration keys from the command line, then what the program sets over them.
 * Keys that the engine reads are parsed here; all others are kept as text for the parts that know them.
 */
import { durationMs } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import type { JobConfig } from '../graph/model.ts'
import { checkBufferTimeout, checkMaxParallelism, checkParallelism } from '../graph/settings.ts'

export const DEFAULT_JOB_NAME = 'Tailrace Streaming Job'

/** What the keys below set; `maxParallelism` undefined means that each operator derives its own. */
type Settings = Omit<JobConfig, 'parameters' | 'options'>

interface KnownKey {
  apply(settings: Settings, text: string, key: string): void
}

const bufferTimeout: KnownKey = {
  apply(settings, text, key) {
    settings.bufferTimeoutMs = parseDuration(text, key)
    checkBufferTimeout(settings.bufferTimeoutMs, 'the job')
  },
}

const chaining: KnownKey = {
  apply(settings, text, key) {
    settings.chaining = parseBoolean(text, key)
  },
}

/** Flink's keys, in the spellings of 1.x and 2.x. */
const KNOWN: Record<string, KnownKey> = {
  'parallelism.default': {
    apply(settings, text, key) {
      settings.parallelism = parseInteger(text, key)
      checkParallelism(settings.parallelism, 'the job')
    },
  },
  'pipeline.max-parallelism': {
    apply(settings, text, key) {
      const value = parseInteger(text, key)
      // Flink's default is -1: derived from the parallelism.
      if (value !== -1) checkMaxParallelism(value, 'the job')
      settings.maxParallelism = value === -1 ? undefined : value
    },
  },
  'execution.buffer-timeout': bufferTimeout,
  'execution.buffer-timeout.interval': bufferTimeout,
  'execution.buffer-timeout.enabled': {
    apply(settings, text, key) {
      if (!parseBoolean(text, key)) settings.bufferTimeoutMs = -1
    },
  },
  'pipeline.auto-watermark-interval': {
    apply(settings, text, key) {
      settings.autoWatermarkIntervalMs = parseDuration(text, key)
      if (!(settings.autoWatermarkIntervalMs >= 0)) throw unreadable(key, text, 'a duration of 0 or more')
    },
  },
  'pipeline.operator-chaining': chaining,
  'pipeline.operator-chaining.enabled': chaining,
  'pipeline.auto-generate-uids': {
    apply(settings, text, key) {
      settings.autoGenerateUids = parseBoolean(text, key)
    },
  },
  'pipeline.name': {
    apply(settings, text) {
      settings.jobName = text
    },
  },
}

/** Settings under way; {@link snapshot} gives what a job gets. */
export class JobSettings {
  readonly #settings: Settings = {
    jobName: DEFAULT_JOB_NAME,
    parallelism: 1,
    maxParallelism: undefined,
    bufferTimeoutMs: 5,
    autoWatermarkIntervalMs: 200,
    chaining: true,
    autoGenerateUids: true,
  }
  readonly #options: Record<string, string> = {}
  readonly #parameters: Record<string, string>

  constructor(options: Readonly<Record<string, string>>, parameters: Readonly<Record<string, string>>) {
    this.#parameters = { ...parameters }
    for (const [key, value] of Object.entries(options)) this.set(key, value)
  }

  /** Throws TR-CONFIG-001 when the text cannot be read, TR-GRAPH-005 when its value is out of range. */
  set(key: string, value: string | number | boolean): void {
    const text = String(value).trim()
    KNOWN[key]?.apply(this.#settings, text, key)
    this.#options[key] = text
  }

  get(key: string): string | undefined {
    return this.#options[key]
  }

  /** All keys that are set, as texts. */
  get options(): Readonly<Record<string, string>> {
    return this.#options
  }

  get parameters(): Record<string, string> {
    return this.#parameters
  }

  setParameters(parameters: Readonly<Record<string, string | number | boolean>>): void {
    for (const [name, value] of Object.entries(parameters)) this.#parameters[name] = String(value)
  }

  /** Parsed values of the keys above. */
  get values(): Readonly<Settings> {
    return this.#settings
  }

  snapshot(jobName: string | undefined): JobConfig {
    return {
      ...this.#settings,
      jobName: jobName ?? this.#settings.jobName,
      parameters: { ...this.#parameters },
      options: { ...this.#options },
    }
  }
}

function parseInteger(text: string, key: string): number {
  if (!/^-?\d+$/.test(text)) throw unreadable(key, text, 'a whole number')
  return Number(text)
}

function parseBoolean(text: string, key: string): boolean {
  if (/^true$/i.test(text)) return true
  if (/^false$/i.test(text)) return false
  throw unreadable(key, text, 'true or false')
}

function parseDuration(text: string, key: string): number {
  try {
    return durationMs(text)
  } catch (cause) {
    throw unreadable(key, text, 'a duration such as "200 ms" or "5s"', cause)
  }
}

function unreadable(key: string, text: string, wanted: string, cause?: unknown): TailraceError {
  return new TailraceError('TR-CONFIG-001', `Cannot use "${text}" for ${key}: ${wanted} is wanted`, { cause })
}
