/**
 * Keys of an object store: which ones there are, and how they are ordered. Every implementation checks with this, so that what works on one works on all.
 */

/**
 * Throws RangeError unless the key is one or more names with slashes in between, and none of them is `.`, `..` or begins with `.tmp`: a key is a path in a
 * directory as well as a name in a bucket.
 */
export function checkKey(key: string): void {
  const bad = key.split('/').find((name) => name === '' || name === '.' || name === '..' || name.startsWith('.tmp'))
  if (bad !== undefined || key.includes('\0'))
    throw new RangeError(
      `Cannot use the key "${key}": wanted names with slashes in between, none empty or "${bad || '..'}"`,
    )
}

/** Throws RangeError unless the prefix is empty, or a key and a slash. */
export function checkPrefix(prefix: string): void {
  if (prefix === '') return
  if (!prefix.endsWith('/')) throw new RangeError(`Cannot list "${prefix}": wanted a prefix that ends with a slash`)
  checkKey(prefix.slice(0, -1))
}

/** The order of lists: by UTF-16 units, which is the order of bytes for the keys that are used here. */
export function byKey(a: { key: string }, b: { key: string }): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

/** Throws RangeError unless it is a range of whole bytes. */
export function checkRange(range: { offset: number; length: number } | undefined): void {
  if (range === undefined) return
  const { offset, length } = range
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
    throw new RangeError(`Cannot read ${length} bytes from ${offset}: wanted whole numbers of 0 or more`)
}
