/**
 * Amounts as manifests write them: quantities of Kubernetes (`500m`, `2Gi`, `1.5`) and sizes of memory as Flink writes them (`2048m` is 2048 MiB).
 */
import { memoryBytes } from '../../runtime/core/memory-size.ts'

/** As the API server holds quantities to. */
export const QUANTITY_PATTERN =
  '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$'

/** A size of memory in Flink's notation; `Gi` and `Mi` too, as manifests mix them. */
export const MEMORY_PATTERN = '^\\s*\\d+(\\.\\d+)?\\s*([kKmMgGtT]([iI]?[bB]?)|[kKmMgGtT]ibibytes|[bB]|bytes?)?\\s*$'

const FACTORS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/**
 * The number that a quantity of Kubernetes stands for; undefined when it is none.
 *
 * @example
 * quantity('500m') // 0.5
 * quantity('2Gi') // 2147483648
 */
export function quantity(text: string | number): number | undefined {
  const match = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$/.exec(String(text))
  if (match === null) return undefined
  const [, number, suffix = '', exponent] = match
  return Number(number) * FACTORS[suffix]! * 10 ** Number(exponent ?? 0)
}

/**
 * Bytes of a size in Flink's notation; undefined when it is none.
 *
 * @example
 * flinkMemory('2048m') // 2147483648
 * flinkMemory('1Gi') // 1073741824
 */
export function flinkMemory(text: string | number): number | undefined {
  try {
    return memoryBytes(String(text).replace(/([kmgt]i)\s*$/i, '$1b'))
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/**
 * Bytes as a quantity: in Mi when they are whole ones, else as they are.
 *
 * @example
 * bytesQuantity(2147483648) // '2048Mi'
 */
export function bytesQuantity(bytes: number): string {
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}Mi` : String(bytes)
}

/**
 * Cores as a quantity, to a thousandth.
 *
 * @example
 * coresQuantity(0.5) // '500m'
 * coresQuantity(2) // '2'
 */
export function coresQuantity(cores: number): string {
  const thousandths = Math.round(cores * 1000)
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`
}
