/**
 * What the command line and `-D key=value` say about an embedded cluster, as one value. A flag wins over its key.
 */
import { availableParallelism } from 'node:os'
import { ConfigValues } from '../config/option.ts'
import { JOB } from '../config/options/job.ts'
import { SLOTS } from '../config/options/processes.ts'
import { METRICS, REST } from '../config/options/rest.ts'
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
  timeouts: { deployMs: number; cancelMs: number; slotsMs: number }
  /** Jobs that have ended and are still shown. */
  historyMax: number
  /** How long results of checkpoints and savepoints that were asked for are kept. */
  operationKeptMs: number
  /** Whether REST and the page can cancel jobs. */
  canCancel: boolean
  /** Whether REST can change the parallelism of jobs. */
  canRescale: boolean
  /** Configuration of the job. */
  options: Record<string, string>
}

/** Parallelism and slots where nothing is said: enough to show exchanges, not more than a laptop likes. */
const SLOTS_DEFAULT = Math.min(2, availableParallelism())

/** Throws TR-CLI-001 and TR-CONFIG-001. */
export function resolveSettings(flags: RunFlags): ClusterSettings {
  const { config } = flags
  const read = new ConfigValues(config, 'TR-CONFIG-001')
  const parallelism = flagged(flags.parallelism, '--parallelism') ?? read.get(JOB.parallelism)
  const slots = flagged(flags.slots, '--slots') ?? read.get(SLOTS.perTaskManager)
  const heapBytes = read.get(SLOTS.heap)
  return {
    slots: slots ?? parallelism ?? SLOTS_DEFAULT,
    restPorts: flags.web ? (flags.port ?? read.get(REST.bindPort)) : undefined,
    metricsPorts: flags.metricsPort ?? read.get(METRICS.port),
    restAddress: read.get(REST.bindAddress),
    slotHeapMb: heapBytes === undefined ? undefined : Math.floor(heapBytes / 2 ** 20),
    timeouts: {
      deployMs: read.get(SLOTS.deployTimeout),
      cancelMs: read.get(JOB.cancellationTimeout),
      slotsMs: read.get(SLOTS.requestTimeout),
    },
    historyMax: read.get(REST.endedJobs),
    operationKeptMs: read.get(REST.operationKept),
    canCancel: read.get(REST.canCancel),
    canRescale: read.get(REST.canRescale),
    options: { ...config, [JOB.parallelism.key]: String(parallelism ?? slots ?? SLOTS_DEFAULT) },
  }
}

/** `key=value` of one -D, added to those before it. */
export function parseProperty(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new TailraceError('TR-CLI-001', `Cannot use -D ${text}: wanted key=value`)
  return { ...before, [text.slice(0, at).trim()]: text.slice(at + 1).trim() }
}

function flagged(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new TailraceError('TR-CLI-001', `Cannot use ${text} for ${name}: wanted a whole number of 1 or more`)
  return Number(text)
}
