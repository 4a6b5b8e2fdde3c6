/** msgpack as the project writes it: maps, sets, dates, bigints, and the classes that a program has registered. */
import { addExtension, Packr, Unpackr } from 'msgpackr'
import { type RegisteredType, registeredTypes } from '../core/registered-types.ts'

const OPTIONS = { useRecords: true, moreTypes: true, useBigIntExtension: true }

/** Each message stands for itself: none needs what another has defined. */
export function createPackr(): Packr {
  return new Packr(OPTIONS)
}

/** `copyBuffers`: bytes get memory of their own, otherwise they are views of what they are read from. */
export function createUnpackr({ copyBuffers = false }: { copyBuffers?: boolean } = {}): Unpackr {
  return new Unpackr({ ...OPTIONS, copyBuffers } as typeof OPTIONS)
}

const extended = new Set<RegisteredType>()

/** Makes msgpackr know the classes that the program has registered; called when a task is built. */
export function extendMsgpack(): void {
  for (const registered of registeredTypes()) {
    if (extended.has(registered)) continue
    extended.add(registered)
    addExtension({
      Class: registered.type,
      type: registered.id,
      write: (value: unknown) => registered.encode(value),
      read: (data: unknown) => registered.decode(data),
    })
  }
}
