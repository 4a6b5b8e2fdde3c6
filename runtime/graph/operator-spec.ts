/** Blueprint of an operator: which module of `operators/`, with which functions. Holds closures, so it never leaves its thread. */
export interface OperatorSpec {
  /** Module in `operators/` without extension, such as `map`. It exports a class `Operator` (operators/operator.ts). */
  readonly module: string
  /** Passed to the constructor of the module's `Operator`. */
  readonly options: any
}
