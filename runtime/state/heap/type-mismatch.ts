/**
 * Whether state that a checkpoint holds can be read as what the job declares now.
 */
import type { TypeDescription } from '../../core/types.ts'

/**
 * Why state that was kept as `stored` cannot be read as `wanted`; undefined when it can.
 *
 * @example
 * typeMismatch({ kind: 'string' }, { kind: 'number' }) // 'it is string, and number is declared'
 */
export function typeMismatch(
  stored: TypeDescription,
  wanted: TypeDescription | undefined,
  where = 'it',
): string | undefined {
  if (wanted === undefined || wanted.kind === 'any' || stored.kind === 'any') return undefined
  if (wanted.kind === 'nullable') {
    return typeMismatch(stored.kind === 'nullable' ? stored.of : stored, wanted.of, where)
  }
  if (stored.kind === 'nullable') return `${where} may be null or undefined, and is declared without`
  const isNumber = (type: TypeDescription) => type.kind === 'number' || type.kind === 'int32'
  if (isNumber(stored) && isNumber(wanted)) return undefined
  if (stored.kind !== wanted.kind) return `${where} is ${stored.kind}, and ${wanted.kind} is declared`
  if (stored.kind === 'row' && wanted.kind === 'row') {
    const storedFields = new Map(stored.fields)
    for (const [name, type] of wanted.fields) {
      const found = storedFields.get(name)
      if (found === undefined) return `${where} has no field "${name}", which is declared`
      const mismatch = typeMismatch(found, type, `field "${name}"`)
      if (mismatch !== undefined) return mismatch
      storedFields.delete(name)
    }
    const [left] = storedFields.keys()
    if (left !== undefined) return `${where} has a field "${left}", which is not declared`
  }
  if (stored.kind === 'tuple' && wanted.kind === 'tuple') {
    if (stored.elements.length !== wanted.elements.length)
      return `${where} has ${stored.elements.length} elements, and ${wanted.elements.length} are declared`
    for (const [i, element] of stored.elements.entries()) {
      const mismatch = typeMismatch(element, wanted.elements[i]!, `element ${i}`)
      if (mismatch !== undefined) return mismatch
    }
  }
  return undefined
}
