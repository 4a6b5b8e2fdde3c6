/**
 * What the configuration says about the state that a job begins with, under Flink's keys in the spellings of 1.x and 2.x [CC-07].
 */
import { namesOf } from '../config/option.ts'
import { RECOVERY } from '../config/options/checkpointing.ts'
import { TailraceError } from '../core/errors.ts'

export interface RestoreSettings {
  /** Of a checkpoint or savepoint, as the user wrote it. */
  path: string
  /** State that no operator of the job takes is left behind. */
  allowNonRestoredState: boolean
  /** `CLAIM`: the job owns what it began with, and deletes it when it is no longer needed. `NO_CLAIM`: it stays as it is, and is the user's. */
  claimMode: ClaimMode
  /** For the log. */
  warnings: string[]
}

export type ClaimMode = 'NO_CLAIM' | 'CLAIM'

export const RESTORE_KEYS = {
  path: namesOf(RECOVERY.path),
  allowNonRestoredState: namesOf(RECOVERY.ignoreUnclaimed),
  claimMode: namesOf(RECOVERY.claimMode),
}

/** undefined: the job begins without state. Throws TR-CHECKPOINT-006. */
export function restoreSettings(options: Readonly<Record<string, string>>): RestoreSettings | undefined {
  const warnings: string[] = []
  const [, path] = settingOf(options, RESTORE_KEYS.path)
  const allowNonRestoredState = booleanOf(...settingOf(options, RESTORE_KEYS.allowNonRestoredState))
  const claimMode = claimModeOf(...settingOf(options, RESTORE_KEYS.claimMode), warnings)
  return path === undefined || path === '' ? undefined : { path, allowNonRestoredState, claimMode, warnings }
}

/** The value and the key that it came by. Two spellings may say the same only. */
function settingOf(
  options: Readonly<Record<string, string>>,
  keys: readonly string[],
): [key: string, value: string | undefined] {
  const [given, other] = keys.filter((key) => options[key] !== undefined)
  if (other !== undefined && options[given!]!.trim() !== options[other]!.trim())
    throw new TailraceError(
      'TR-CHECKPOINT-006',
      `Cannot use both ${given} "${options[given!]}" and ${other} "${options[other]}": they are two names of one setting; leave one out`,
    )
  return [given ?? keys[0]!, given === undefined ? undefined : options[given]!.trim()]
}

function booleanOf(key: string, text = 'false'): boolean {
  if (/^(true|false)$/i.test(text)) return /^true$/i.test(text)
  throw new TailraceError('TR-CHECKPOINT-006', `Cannot use "${text}" for ${key}: true or false is wanted`)
}

function claimModeOf(key: string, text: string | undefined, warnings: string[]): ClaimMode {
  switch ((text ?? 'NO_CLAIM').toUpperCase().replaceAll('-', '_')) {
    case 'NO_CLAIM':
      return 'NO_CLAIM'
    case 'CLAIM':
      return 'CLAIM'
    case 'LEGACY':
      warnings.push(`${key} LEGACY is taken for NO_CLAIM: what the job begins with stays as it is`)
      return 'NO_CLAIM'
  }
  throw new TailraceError('TR-CHECKPOINT-006', `Cannot use "${text}" for ${key}: NO_CLAIM or CLAIM is wanted`)
}
