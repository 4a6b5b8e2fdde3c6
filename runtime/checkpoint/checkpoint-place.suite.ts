/** A place for checkpoints in memory, and what tests do there: open it as one owner after another, complete checkpoints, look in. */
import { ManualClock } from '../core/clock.ts'
import { checkpointOf } from './checkpoint-of.suite.ts'
import type { CheckpointStore } from './checkpoint-store.ts'
import { type MemoryFault, MemoryObjects, type MemoryOperation, memoryStore } from './memory-store.ts'
import type { StateHandle } from './model.ts'
import { type OpenCheckpointStoreOptions, openCheckpointStore } from './open-checkpoint-store.ts'

export const bytesOf = (text: string) => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
export const fileOf = (handle: StateHandle) => ('file' in handle ? handle.file : '')

export class Place {
  readonly clock = new ManualClock(1_000_000)
  readonly objects = new MemoryObjects(() => this.clock.now())
  readonly warnings: string[] = []
  #owners = 0

  open(over: Partial<OpenCheckpointStoreOptions> & { fault?: Fault } = {}): Promise<CheckpointStore> {
    const { fault, ...rest } = over
    return openCheckpointStore({
      store: memoryStore(this.objects, fault && { fault }),
      folder: 'job',
      owner: `owner-${++this.#owners}`,
      retained: 1,
      clock: this.clock,
      inlineBytesMax: 0,
      graceMs: 1_000,
      warn: (text) => this.warnings.push(text),
      ...rest,
    })
  }

  /** Names below the folder. */
  names(prefix = ''): string[] {
    return [...this.objects.objects.keys()]
      .map((key) => key.slice('job/'.length))
      .filter((name) => name.startsWith(prefix))
      .sort()
  }
}

export type Fault = (operation: MemoryOperation) => MemoryFault | undefined

/** Fails operations whose key ends so, as often as said. */
export const failing = (kind: MemoryOperation['kind'], end: string, fault: MemoryFault, times = 1): Fault => {
  let left = times
  return (operation) => (operation.kind === kind && operation.key.endsWith(end) && left-- > 0 ? fault : undefined)
}

/** Writes a file with this text and completes a checkpoint that names it. */
export async function complete(store: CheckpointStore, id: number, text = `state ${id}`): Promise<StateHandle> {
  const handle = await store.write(bytesOf(text))
  await store.complete(checkpointOf(id, [handle]))
  return handle
}

export async function read(store: CheckpointStore): Promise<string[]> {
  const lists = store.completed.flatMap(({ metadata }) => metadata.operators[0]!.subtasks[0]!.lists)
  return Promise.all(lists.map(async ({ handle }) => textOf(await store.read(handle))))
}
