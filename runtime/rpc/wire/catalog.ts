/**
 * What messages there are, with their shapes: a catalog for each direction (messages/catalog.ts).
 *
 * A message is a plain object with its `type`. A one-way message has no answer; a call has one, or fails with an error that has a code.
 */
import { z } from 'zod'

export interface OneWay<T extends string = string, S extends z.ZodType = z.ZodType> {
  readonly kind: 'oneWay'
  readonly type: T
  readonly message: S
}

export interface Call<T extends string = string, S extends z.ZodType = z.ZodType, A extends z.ZodType = z.ZodType> {
  readonly kind: 'call'
  readonly type: T
  readonly message: S
  readonly answer: A
}

type Typed<T extends string, F extends z.core.$ZodLooseShape> = z.ZodObject<
  { type: z.ZodLiteral<T> } & F,
  z.core.$strict
>

/**
 * @example
 * export const shutdown = oneWay('shutdown', { reason: z.string() })
 */
export function oneWay<const T extends string, F extends z.core.$ZodLooseShape>(
  type: T,
  fields: F,
): OneWay<T, Typed<T, F>> {
  return { kind: 'oneWay', type, message: z.strictObject({ type: z.literal(type), ...fields }) as Typed<T, F> }
}

/**
 * @example
 * export const logs = call('logs', { bytesMax: z.number() }, z.strictObject({ text: z.string() }))
 */
export function call<const T extends string, F extends z.core.$ZodLooseShape, A extends z.ZodType>(
  type: T,
  fields: F,
  answer: A,
): Call<T, Typed<T, F>, A> {
  return { kind: 'call', type, message: z.strictObject({ type: z.literal(type), ...fields }) as Typed<T, F>, answer }
}

/** By type. */
export type Catalog = Readonly<Record<string, OneWay | Call>>

type OneWayOf<C extends Catalog> = Extract<C[keyof C], { kind: 'oneWay' }>
type CallOf<C extends Catalog> = Extract<C[keyof C], { kind: 'call' }>

/** Any one-way message of a catalog. */
export type OneWayMessage<C extends Catalog> = z.output<OneWayOf<C>['message']>
/** Any call of a catalog. */
export type CallMessage<C extends Catalog> = z.output<CallOf<C>['message']>
export type AnswerTo<C extends Catalog, M> = M extends { type: infer T }
  ? Extract<C[keyof C], { kind: 'call'; type: T }> extends Call<string, z.ZodType, infer A>
    ? z.output<A>
    : never
  : never

export interface CallContext {
  /** The caller waits for so long from now. */
  readonly deadlineMs: number
}

/** What is done with each message of a catalog. A one-way message's is run to its end before the next message is read. */
export type Handlers<C extends Catalog> = {
  readonly [K in keyof C]: C[K] extends Call<string, infer S, infer A>
    ? (message: z.output<S>, context: CallContext) => z.output<A> | Promise<z.output<A>>
    : (message: z.output<C[K]['message']>) => void
}

/** Throws when two messages have one type, or one is listed under another name. */
export function catalog<const D extends readonly (OneWay | Call)[]>(
  ...definitions: D
): { readonly [K in D[number]['type']]: Extract<D[number], { type: K }> } {
  const byType: Record<string, OneWay | Call> = {}
  for (const definition of definitions) {
    if (definition.type in byType) throw new TypeError(`Cannot list two messages "${definition.type}": one is wanted`)
    byType[definition.type] = definition
  }
  return byType as never
}

const PROBLEM_CHARS_MAX = 400

/** The first place where a value does not fit, as `field.0: what is wrong`; undefined: it fits. */
export function misfit(schema: z.ZodType, value: unknown): string | undefined {
  const issue = firstIssue(schema, value)
  if (issue === undefined) return undefined
  const path = issue.path.map(String).join('.')
  const text = path === '' ? issue.message : `${path}: ${issue.message}`
  return text.length > PROBLEM_CHARS_MAX ? `${text.slice(0, PROBLEM_CHARS_MAX)}…` : text
}

interface Issue {
  readonly path: PropertyKey[]
  readonly message: string
}

/** Undefined: it fits. */
export function firstIssue(schema: z.ZodType, value: unknown): Issue | undefined {
  try {
    const { error } = schema.safeParse(value)
    return error === undefined ? undefined : innermost(error.issues[0]!)
  } catch (error) {
    // Too deep for the stack.
    return { path: [], message: (error as Error).message }
  }
}

/** Of a union the alternative that came furthest. */
function innermost(issue: z.core.$ZodIssue): Issue {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue
  const first = issue.errors.flatMap((issues) => issues.slice(0, 1)).map(innermost)
  const deepest = first.reduce((a, b) => (b.path.length > a.path.length ? b : a))
  return { path: [...issue.path, ...deepest.path], message: deepest.message }
}
