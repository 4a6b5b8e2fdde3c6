/**
 * What the command line and `-D key=value` say about an embedded cluster, as one value. A flag wins over its key.
 */
import { availableParallelism } from 'node:os'
import { durationMs } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'

export interface RunFlags {
  parallelism?: string
  slots?: string
  port?: string
  metricsPort?: string
  web: boolean
  config: Record<string, string>
}

export interface ClusterSettings {
  slots: number
  /** Ports or ranges; undefined: neither REST nor the page. */
  restPorts: string | undefined
  metricsPorts: string
  restAddress: string
  slotHeapMb: number | undefined
  timeouts: { deployMs?: number; cancelMs?: number }
  historyMax?: number
  /** How long results of checkpoints and savepoints that were asked for are kept. */
  operationKeptMs?: number
  /** Configuration of the job. */
  options: Record<string, string>
}

/** Parallelism and slots where nothing is said: enough to show exchanges, not more than a laptop likes. */
const SLOTS_DEFAULT = Math.min(2, availableParallelism())

/** Throws TR-CLI-001 and TR-CONFIG-001. */
export function resolveSettings(flags: RunFlags): ClusterSettings {
  const { config } = flags
  const given = (flag: string | undefined, name: string, key: string) =>
    flag === undefined ? integer(config[key], `"${key}"`, 'TR-CONFIG-001') : integer(flag, name, 'TR-CLI-001')
  const parallelism = given(flags.parallelism, '--parallelism', 'parallelism.default')
  const slots = given(flags.slots, '--slots', 'taskmanager.numberOfTaskSlots')
  const historyMax = integer(config['jobstore.max-capacity'], '"jobstore.max-capacity"', 'TR-CONFIG-001')
  const deployMs = duration(config, 'slot.deploy.timeout')
  const cancelMs = duration(config, 'task.cancellation.timeout')
  const operationKeptMs = duration(config, 'rest.async.store-duration')
  return {
    slots: slots ?? parallelism ?? SLOTS_DEFAULT,
    // A port that was not asked for gives way to one that is taken.
    restPorts: flags.web ? (flags.port ?? config['rest.port'] ?? '8081-8099') : undefined,
    metricsPorts: flags.metricsPort ?? config['metrics.reporter.prom.port'] ?? '9249-9269',
    restAddress: config['rest.bind-address'] ?? '127.0.0.1',
    slotHeapMb: memoryMb(config, 'taskmanager.memory.task.heap.size'),
    timeouts: {
      ...(deployMs === undefined ? {} : { deployMs }),
      ...(cancelMs === undefined ? {} : { cancelMs }),
    },
    ...(historyMax === undefined ? {} : { historyMax }),
    ...(operationKeptMs === undefined ? {} : { operationKeptMs }),
    options: { ...config, 'parallelism.default': String(parallelism ?? slots ?? SLOTS_DEFAULT) },
  }
}

/** `key=value` of one -D, added to those before it. */
export function parseProperty(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new TailraceError('TR-CLI-001', `Cannot use -D ${text}: wanted key=value`)
  return { ...before, [text.slice(0, at).trim()]: text.slice(at + 1).trim() }
}

function integer(text: string | undefined, name: string, code: 'TR-CLI-001' | 'TR-CONFIG-001'): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new TailraceError(code, `Cannot use ${text} for ${name}: wanted a whole number of 1 or more`)
  return Number(text)
}

function duration(config: Record<string, string>, key: string): number | undefined {
  const text = config[key]
  if (text === undefined) return undefined
  try {
    return durationMs(text)
  } catch (cause) {
    throw new TailraceError('TR-CONFIG-001', `Cannot use "${text}" for "${key}": wanted a duration such as "10 s"`, {
      cause,
    })
  }
}

const UNITS_MB: Record<string, number> = { b: 2 ** -20, k: 2 ** -10, m: 1, g: 2 ** 10, t: 2 ** 20 }

/** Flink's notation, where m is MiB: `512m`, `2g`, `2 gb`; a bare number is bytes. */
function memoryMb(config: Record<string, string>, key: string): number | undefined {
  const text = config[key]
  if (text === undefined) return undefined
  const match = /^(\d+)\s*([bkmgt]?)(?:b|ib|bytes?)?$/i.exec(text)
  const mb = match === null ? 0 : Math.floor(Number(match[1]) * UNITS_MB[match[2]!.toLowerCase() || 'b']!)
  if (mb < 16)
    throw new TailraceError(
      'TR-CONFIG-001',
      `Cannot use "${text}" for "${key}": wanted 16m or more, such as "512m" or "2g"`,
    )
  return mb
}
