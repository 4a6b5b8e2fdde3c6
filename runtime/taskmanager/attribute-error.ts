/** Says which operator of a task an error is of. */
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { ChainLink } from './chain.ts'

/** Adds the operator's name to an error of the task `name`: that of `link`, or found by its copy number in the stack; else the task's. */
export function attributeError(
  error: unknown,
  { name, links }: { name: string; links: readonly ChainLink[] },
  link?: ChainLink,
): unknown {
  let found = link
  if (found === undefined && error instanceof Error) {
    for (const [, copy] of (error.stack ?? '').matchAll(/operators\/[\w-]+\.[jt]s\?n=(\d+)/g)) {
      found = links.find((l) => l.copy === Number(copy))
      if (found !== undefined) break
    }
  }
  const operator = found?.name ?? name
  if (isTailraceError(error)) {
    error.operator ??= operator
    return error
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new TailraceError('TR-TASK-001', `The function of operator "${operator}" threw ${message}`, {
    cause: error,
    operator,
  })
}
