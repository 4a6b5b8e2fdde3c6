/** The configuration of a command: -D over the environment over the file that `--config-dir` names. */
import { loadConfiguration } from '../config/load.ts'

export interface ConfigurationFlags {
  configDir?: string
  /** Of -D. */
  D?: Record<string, string>
}

export interface Around {
  environment: Readonly<Record<string, string | undefined>>
  cwd: string
  /** Where notes go; those that are for whoever wants to know all only with TAILRACE_DEBUG. */
  error(text: string): void
}

/**
 * Values by their newest keys. `quiet` leaves warnings out, for commands that only ask where a cluster is. Throws TR-CONFIG-001 and TR-CONFIG-002.
 */
export async function commandConfiguration(
  { configDir, D = {} }: ConfigurationFlags,
  { environment, cwd, error }: Around,
  { quiet = false }: { quiet?: boolean } = {},
): Promise<Record<string, string>> {
  const { values, notes, file } = await loadConfiguration({ directory: configDir, properties: D, environment, cwd })
  const debug = environment.TAILRACE_DEBUG !== undefined && environment.TAILRACE_DEBUG !== '0'
  if (debug && file !== undefined) error(`· configuration of ${file}\n`)
  for (const { level, text } of notes) {
    if (level === 'warn' ? !quiet || debug : debug) error(`${level === 'warn' ? '!' : '·'} ${text}\n`)
  }
  return values
}
