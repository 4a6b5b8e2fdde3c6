/**
 * Classes whose instances may be records or parts of them. Each thread registers them when it runs the program, in the same order, so that
 * the numbers agree. Only data crosses between tasks: `encode` gives it, `decode` makes an instance again.
 */

export interface RegisteredType<T = any> {
  /** From 1, in the order of registration. */
  readonly id: number
  readonly type: abstract new (...args: any[]) => T
  readonly encode: (value: T) => unknown
  readonly decode: (data: any) => T
}

/** Extension numbers of msgpack for us. */
const REGISTERED_MAX = 100

const registered: RegisteredType[] = []

/** Registering a class again replaces its functions; a class of the same name takes the other's number, as a program is run again. */
export function registerType<T>(
  type: abstract new (...args: any[]) => T,
  functions: { encode: (value: T) => unknown; decode: (data: any) => T },
): void {
  const known = registered.findIndex((r) => r.type === type || r.type.name === type.name)
  const id = known >= 0 ? known + 1 : registered.length + 1
  if (id > REGISTERED_MAX)
    throw new RangeError(
      `Cannot register class ${type.name}: ${REGISTERED_MAX} classes are registered, which is the most`,
    )
  registered[id - 1] = { id, type, ...functions }
}

export function registeredTypes(): readonly RegisteredType[] {
  return registered
}

/** Whether instances with this prototype are registered. */
export function isRegistered(prototype: object): boolean {
  return registered.some((r) => r.type.prototype === prototype)
}
