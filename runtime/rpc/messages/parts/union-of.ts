/** One of several messages, told apart by `type`; as many and the same as the type that is declared elsewhere has, else tsc complains. */
import { z } from 'zod'

type Of<T extends { type: string }, K> = Extract<T, { type: K }>

/** By type; each with the fields of its own. */
type Alternatives<T extends { type: string }> = {
  readonly [K in T['type']]: z.ZodType<Of<T, K>> & {
    readonly shape: { readonly [F in keyof Of<T, K>]-?: z.ZodType }
  }
}

export function unionOf<T extends { type: string }>() {
  return (alternatives: Alternatives<T>): z.ZodType<T> =>
    z.discriminatedUnion('type', Object.values(alternatives) as never) as unknown as z.ZodType<T>
}
