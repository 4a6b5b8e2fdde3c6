/**
 * Names a side output. Tags are equal by id; the type is TypeScript's only.
 *
 * @example
 * const late = new OutputTag<Click>('late')
 */
const BRAND = Symbol.for('tailrace.output-tag')

export class OutputTag<T> {
  readonly id: string
  readonly [BRAND] = true
  /** Never set; keeps T for inference. */
  readonly _type?: T
  constructor(id: string) {
    if (id === '') throw new TypeError('Cannot make an output tag with an empty id')
    this.id = id
  }
}
