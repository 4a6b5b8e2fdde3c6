/**
 * A copy of a plain object or array, other values as they are: for what is emitted while the original stays in state.
 *
 * @example
 * shallowCopy({ n: 1 }) // another { n: 1 }
 */
export function shallowCopy(value: any): any {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.slice()
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? { ...value } : value
}
