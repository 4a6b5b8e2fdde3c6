/**
 * What a leader is told about its deployment while it leads, beside the election: the parallelism of its application, and what that begins with.
 *
 * A source of directives is an argument to whoever follows them. Of a Lease they are annotations that somebody else owns (kubernetes-lease.ts sees them in all that the election reads):
 *
 *     tailrace.dev/parallelism: "4"
 *     tailrace.dev/restore: '{"generation":7,"from":"latest","atLeast":12,"neverEmpty":true}'
 */
import { parseRestoreDirective, type RestoreDirective } from '../checkpoint/restore-directive.ts'
import { TailraceError } from '../core/errors.ts'

export const PARALLELISM_ANNOTATION = 'tailrace.dev/parallelism'
export const RESTORE_ANNOTATION = 'tailrace.dev/restore'

export interface DirectiveTexts {
  parallelism: string | undefined
  restore: string | undefined
}

/** Texts as they are told; whoever follows them reads them, and says what is wrong. */
export interface Directives {
  /** For messages. */
  readonly place: string
  /** As known now. Of a leader's election no older than its election. */
  readonly current: DirectiveTexts
  /** Tells of changes. Returns how to stop. */
  watch(changed: (now: DirectiveTexts) => void): () => void
}

/** Throws TR-HA-008. undefined: none is told. */
export function parallelismOf({ current: { parallelism }, place }: Directives): number | undefined {
  if (parallelism === undefined) return undefined
  const value = /^\d{1,9}$/.test(parallelism.trim()) ? Number(parallelism) : 0
  if (value >= 1) return value
  throw new TailraceError(
    'TR-HA-008',
    `Cannot read annotation ${PARALLELISM_ANNOTATION} of ${place}: it is "${parallelism}", wanted a whole number of 1 or more`,
  )
}

/** Throws TR-HA-008. undefined: none is told. */
export function restoreOf({ current: { restore }, place }: Directives): RestoreDirective | undefined {
  return restore === undefined
    ? undefined
    : parseRestoreDirective(restore, `annotation ${RESTORE_ANNOTATION} of ${place}`)
}

/** Those that were seen last, for whoever asks, with the changes. */
export class SeenDirectives implements Directives {
  readonly place: string
  readonly #listeners = new Set<(now: DirectiveTexts) => void>()
  #current: DirectiveTexts = { parallelism: undefined, restore: undefined }

  constructor(place: string) {
    this.place = place
  }

  get current(): DirectiveTexts {
    return this.#current
  }

  watch(changed: (now: DirectiveTexts) => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  see(annotations: Readonly<Record<string, string>> = {}): void {
    const { [PARALLELISM_ANNOTATION]: parallelism, [RESTORE_ANNOTATION]: restore } = annotations
    if (parallelism === this.#current.parallelism && restore === this.#current.restore) return
    this.#current = { parallelism, restore }
    for (const tell of [...this.#listeners]) tell(this.#current)
  }
}
