/** The flags for the state that a job begins with, as configuration. */
import { RESTORE_KEYS } from '../checkpoint/restore-settings.ts'

export interface RestoreFlags {
  savepoint?: string
  /** The same, in Flink's word. */
  fromSavepoint?: string
  allowNonRestoredState?: boolean
  claimMode?: string
}

/** `config` with the flags; a flag wins over its key in any spelling. */
export function withRestoreFlags(
  config: Readonly<Record<string, string>>,
  { fromSavepoint, savepoint = fromSavepoint, allowNonRestoredState, claimMode }: RestoreFlags,
): Record<string, string> {
  const merged = { ...config }
  const set = ([key, ...older]: string[], value: string | undefined) => {
    if (value === undefined) return
    for (const name of older) delete merged[name]
    merged[key!] = value
  }
  set(RESTORE_KEYS.path, savepoint)
  set(RESTORE_KEYS.allowNonRestoredState, allowNonRestoredState === true ? 'true' : undefined)
  set(RESTORE_KEYS.claimMode, claimMode)
  return merged
}
