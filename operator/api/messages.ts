/** What is wrong with a resource, or worth knowing of it: where, and in words. */

export interface Message {
  /** As `kubectl explain` names it: `spec.job.parallelism`, `spec.configuration["state.savepoints.dir"]`. */
  path: string
  /** What is, and what is wanted, ending without a full stop. */
  text: string
}

/**
 * One line of a message.
 *
 * @example
 * lineOf({ path: 'spec.job.args', text: 'must be a list' }) // 'spec.job.args: must be a list'
 */
export function lineOf({ path, text }: Message): string {
  return `${path}: ${text}`
}

/**
 * The path of a part: names by dots, list items and names with other characters in brackets.
 *
 * @example
 * pathOf(['spec', 'configuration', 'state.backend', 0]) // 'spec.configuration["state.backend"][0]'
 */
export function pathOf(parts: readonly PropertyKey[]): string {
  return parts
    .map((part, at) => {
      if (typeof part === 'number') return `[${part}]`
      const name = String(part)
      if (!/^[A-Za-z_$][\w$-]*$/.test(name)) return `[${JSON.stringify(name)}]`
      return at === 0 ? name : `.${name}`
    })
    .join('')
}
