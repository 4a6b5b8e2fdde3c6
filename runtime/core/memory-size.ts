/**
 * Sizes of memory as users write them: bytes, `'64mb'`, `'1 g'`, `'512 kb'`; factors of 1024, as in Flink.
 */
const FACTORS: Record<string, number> = {
  '': 1,
  b: 1,
  byte: 1,
  bytes: 1,
  k: 2 ** 10,
  kb: 2 ** 10,
  kib: 2 ** 10,
  kibibytes: 2 ** 10,
  m: 2 ** 20,
  mb: 2 ** 20,
  mib: 2 ** 20,
  mebibytes: 2 ** 20,
  g: 2 ** 30,
  gb: 2 ** 30,
  gib: 2 ** 30,
  gibibytes: 2 ** 30,
  t: 2 ** 40,
  tb: 2 ** 40,
  tib: 2 ** 40,
  tebibytes: 2 ** 40,
}

/**
 * Bytes of a size.
 *
 * Throws RangeError when the text is no size.
 *
 * @example
 * memoryBytes('64mb') // 67108864
 */
export function memoryBytes(size: number | string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(size))
  const factor = match === null ? undefined : FACTORS[match[2]!.toLowerCase()]
  if (match === null || factor === undefined) {
    throw new RangeError(`Cannot read the memory size "${size}": wanted bytes, or a text such as "64mb" or "1g"`)
  }
  return Math.floor(Number(match[1]) * factor)
}
