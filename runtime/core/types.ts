/**
 * Types of records, keys and state values: declared by the author (`types.row({...})`) or inferred from the first records.
 *
 * A type is plain JSON ({@link TypeDescription}), because it travels with the plan, between threads and in checkpoints. Codecs
 * are generated from it (codec/codec.ts, state/).
 */

/** JSON form of a type. `nullable` admits null and undefined beside the values of `of`. */
export type TypeDescription =
  | { kind: 'number' | 'int32' | 'boolean' | 'string' | 'bigint' | 'date' | 'bytes' | 'any' }
  | { kind: 'nullable'; of: TypeDescription }
  | { kind: 'row'; fields: [name: string, type: TypeDescription][]; declared?: boolean }
  | { kind: 'tuple'; elements: TypeDescription[] }

/** A type with its TypeScript shadow. */
export interface Type<T> {
  readonly description: TypeDescription
  /** Never set; keeps T for inference. */
  readonly _type?: T
}

/** The TypeScript type that a {@link Type} stands for. */
export type TypeOf<X> = X extends Type<infer T> ? T : never

const of = <T>(description: TypeDescription): Type<T> => Object.freeze({ description })

/**
 * Constructors of types.
 *
 * @example
 * const reading = types.row({ sensor: types.string, celsius: types.number, at: types.nullable(types.date) })
 */
export const types = {
  /** Any JavaScript number. 8 bytes. */
  number: of<number>({ kind: 'number' }),
  /** A whole number of 32 bits; others deviate. 4 bytes. */
  int32: of<number>({ kind: 'int32' }),
  boolean: of<boolean>({ kind: 'boolean' }),
  string: of<string>({ kind: 'string' }),
  /** A bigint of 64 bits; larger ones deviate. */
  bigint: of<bigint>({ kind: 'bigint' }),
  date: of<Date>({ kind: 'date' }),
  bytes: of<Uint8Array>({ kind: 'bytes' }),
  /** Anything that msgpackr can carry: arrays, maps, nested shapes that vary. Slower. */
  any: <T = unknown>(): Type<T> => of<T>({ kind: 'any' }),
  nullable: <T>(type: Type<T>): Type<T | null | undefined> => of({ kind: 'nullable', of: type.description }),
  /** A plain object with exactly these fields. */
  row: <F extends Record<string, Type<any>>>(fields: F): Type<{ [K in keyof F]: TypeOf<F[K]> }> =>
    of({
      kind: 'row',
      fields: Object.entries(fields).map(([name, type]) => [name, type.description]),
      declared: true,
    }),
  /** An array of fixed length. */
  tuple: <E extends Type<any>[]>(...elements: E): Type<{ [K in keyof E]: TypeOf<E[K]> }> =>
    of({ kind: 'tuple', elements: elements.map((e) => e.description) }),
}

const INFER_DEPTH_MAX = 4

/**
 * The narrowest type that holds every sample, or `any` when they have no common shape. Numbers become `number` (a first record
 * of whole numbers proves nothing about the next).
 */
export function inferType(samples: readonly unknown[], depth = 0): TypeDescription {
  let nullable = false
  let type: TypeDescription | undefined
  const present: unknown[] = []
  for (const sample of samples) {
    if (sample === null || sample === undefined) nullable = true
    else present.push(sample)
  }
  if (present.length === 0) return { kind: 'any' }
  for (const sample of present) {
    const one = inferOne(sample, depth)
    if (type === undefined) type = one
    else if (
      type.kind !== one.kind ||
      (type.kind === 'tuple' && one.kind === 'tuple' && type.elements.length !== one.elements.length)
    ) {
      return { kind: 'any' }
    }
  }
  if (type!.kind === 'row') {
    const names = new Set<string>()
    for (const sample of present) for (const name of Object.keys(sample as object)) names.add(name)
    const fields: [string, TypeDescription][] = []
    for (const name of names) {
      fields.push([
        name,
        inferType(
          present.map((p) => (p as Record<string, unknown>)[name]),
          depth + 1,
        ),
      ])
    }
    type = { kind: 'row', fields }
  } else if (type!.kind === 'tuple') {
    const elements: TypeDescription[] = []
    for (let i = 0; i < type!.elements.length; i++)
      elements.push(
        inferType(
          present.map((p) => (p as unknown[])[i]),
          depth + 1,
        ),
      )
    type = { kind: 'tuple', elements }
  }
  if (nullable) return type!.kind === 'any' ? type! : { kind: 'nullable', of: type! }
  return type!
}

function inferOne(sample: unknown, depth: number): TypeDescription {
  switch (typeof sample) {
    case 'number':
      return { kind: 'number' }
    case 'string':
      return { kind: 'string' }
    case 'boolean':
      return { kind: 'boolean' }
    case 'bigint':
      return { kind: 'bigint' }
    case 'object': {
      if (sample instanceof Date) return { kind: 'date' }
      if (sample instanceof Uint8Array) return { kind: 'bytes' }
      if (depth > INFER_DEPTH_MAX) return { kind: 'any' }
      // A short array is taken for a tuple at the top of a record only; inside one it may be a list of any length.
      if (Array.isArray(sample)) {
        if (depth > 0 || sample.length === 0 || sample.length > 16) return { kind: 'any' }
        return { kind: 'tuple', elements: sample.map(() => ({ kind: 'any' })) }
      }
      const prototype = Object.getPrototypeOf(sample)
      if (prototype !== Object.prototype && prototype !== null) return { kind: 'any' }
      if (Object.keys(sample!).length === 0) return { kind: 'any' }
      return { kind: 'row', fields: [] }
    }
    default:
      return { kind: 'any' }
  }
}

/** A short text of a type for messages and the page: `{ user: string, n: number }`. */
export function formatType(type: TypeDescription): string {
  switch (type.kind) {
    case 'nullable':
      return `${formatType(type.of)} | null`
    case 'row':
      return `{ ${type.fields.map(([name, t]) => `${name}: ${formatType(t)}`).join(', ')} }`
    case 'tuple':
      return `[${type.elements.map(formatType).join(', ')}]`
    default:
      return type.kind
  }
}
