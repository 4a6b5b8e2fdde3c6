/**
 * Ties a schema to a type that is declared elsewhere: tsc complains when one has a field that the other has not, so a field that is added to the type is not refused by the other process.
 */
import type { z } from 'zod'

type KeysOf<T> = T extends unknown ? keyof T : never

/**
 * @example
 * export const barrier = schemaOf<Barrier>()(z.strictObject({ … }))
 */
export function schemaOf<T>() {
  return <S extends z.ZodType<T>>(
    schema: S &
      (KeysOf<T> extends KeysOf<z.output<S>> ? unknown : { fieldsMissing: Exclude<KeysOf<T>, KeysOf<z.output<S>>> }),
  ): S => schema
}
