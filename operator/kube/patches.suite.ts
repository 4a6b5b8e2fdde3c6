/** Merge patches (RFC 7386), the part of JSON patches (RFC 6902) that people use, and selectors: what the API server of the tests understands. */

export function mergePatch(target: any, patch: any): any {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return structuredClone(patch)
  const result: any = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}

interface Operation {
  op: string
  path: string
  value?: unknown
}

/** undefined: an operation cannot be done, or a test did not hold. */
export function jsonPatch(target: any, operations: readonly Operation[]): any {
  const root = { value: structuredClone(target) }
  for (const { op, path, value } of operations) {
    const segments = ['value', ...path.split('/').slice(1)].map((one) =>
      one.replaceAll('~1', '/').replaceAll('~0', '~'),
    )
    const last = segments.pop()!
    let at: any = root
    for (const segment of segments) at = at?.[segment]
    if (typeof at !== 'object' || at === null) return undefined
    if (op === 'test') {
      if (JSON.stringify(at[last]) !== JSON.stringify(value)) return undefined
    } else if (op === 'remove') {
      if (!(last in at)) return undefined
      if (Array.isArray(at)) at.splice(Number(last), 1)
      else delete at[last]
    } else if (op === 'add' && Array.isArray(at)) at.splice(last === '-' ? at.length : Number(last), 0, value)
    else if (op === 'add' || (op === 'replace' && last in at)) at[last] = value
    else return undefined
  }
  return root.value
}

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k` over labels, or over fields such as `spec.nodeName`. */
export function matches(selector: string | null, value: (name: string) => string | undefined): boolean {
  if (selector === null || selector === '') return true
  return (selector.match(/(?:[^,(]|\([^)]*\))+/g) ?? []).every((term) => {
    const text = term.trim()
    const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(text)
    if (set !== null) {
      const isIn = set[3].split(',').some((one) => one.trim() === value(set[1]))
      return (set[2] === 'in') === isIn
    }
    const equal = /^([^!=]+)(!=|==?)(.*)$/.exec(text)
    if (equal !== null) return (equal[2] === '!=') !== ((value(equal[1]) ?? '') === equal[3])
    return text.startsWith('!') ? value(text.slice(1)) === undefined : value(text) !== undefined
  })
}
