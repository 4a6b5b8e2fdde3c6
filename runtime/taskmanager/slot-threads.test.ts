import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualTime } from '../core/virtual-time.suite.ts'
import { Exits, type HostExit } from '../rpc/host.ts'
import { loadedBy } from '../rpc/loaded-program.ts'
import type { FromSlotThread, ProgramRef, SlotThreadHost, ToSlotThread } from '../rpc/slot-messages.ts'
import { SlotThreads } from './slot-threads.ts'

class FakeThread implements SlotThreadHost {
  readonly posted: ToSlotThread[] = []
  terminated = false
  say: (message: FromSlotThread) => void = () => {}
  readonly #exits = new Exits()
  readonly port = {
    post: (message: ToSlotThread): void => void this.posted.push(message),
    onMessage: (handler: (message: FromSlotThread) => void): void => {
      this.say = handler
    },
    close() {},
  }
  onExit(handler: (exit: HostExit) => void): void {
    this.#exits.tell(handler)
  }
  terminate(): void {
    this.terminated = true
    this.#exits.happen({ code: 1 })
  }
  get heard(): string[] {
    return this.posted.map(({ type }) => type)
  }
}

const program: ProgramRef = { url: 'file:///job.ts', args: [], parameters: {}, options: {} }
const deploy = { type: 'deploy', deployment: { jobId: 'j', program } } as ToSlotThread
const READY = { type: 'ready', dataPort: 7 } as const
const settled = () => new Promise((resolve) => setImmediate(resolve))

let time: VirtualTime
let spawned: FakeThread[]
let threads: SlotThreads

beforeEach(() => {
  time = new VirtualTime(0)
  spawned = []
  threads = new SlotThreads({
    spawn: () => {
      spawned.push(new FakeThread())
      return spawned.at(-1)!
    },
    schedule: time.schedule,
  })
})

function start(registration: ReturnType<SlotThreads['registration']>, slot = 0) {
  const host = registration.start(slot)
  const heard: FromSlotThread[] = []
  const exits: HostExit[] = []
  host.port.onMessage((message) => heard.push(message))
  host.onExit((exit) => exits.push(exit))
  return { host, heard, exits }
}

describe('the thread of a slot', () => {
  it('serves the next registration when it has left what it ran, and says what it has loaded', () => {
    const before = start(threads.registration())
    spawned[0]!.say(READY)
    before.host.port.post(deploy)
    const next = threads.registration()
    next.enter()
    expect(spawned[0]!.heard).toEqual(['deploy', 'handOver'])
    const after = start(next)
    spawned[0]!.say({ type: 'taskState', vertexId: 'v', subtask: 0, state: 'CANCELED' })
    expect(after.heard).toEqual([])
    spawned[0]!.say({ type: 'handedOver', clean: true })
    expect(after.heard).toEqual([{ ...READY, loaded: loadedBy('j', program) }])
    after.host.port.post({ type: 'start' })
    spawned[0]!.say({ type: 'deployed' })
    expect([spawned.length, spawned[0]!.heard.at(-1), after.heard.at(-1)]).toEqual([1, 'start', { type: 'deployed' }])
    // Nobody of the registration before hears or says anything, but the buffers of its snapshots come back.
    expect(before.heard).toEqual([READY])
    before.host.port.post({ type: 'cancel' })
    before.host.terminate()
    before.host.port.post({ type: 'stateBuffer', buffer: new ArrayBuffer(1) })
    expect([spawned[0]!.heard.at(-1), spawned[0]!.heard.includes('cancel'), spawned[0]!.terminated]).toEqual([
      'stateBuffer',
      false,
      false,
    ])
  })

  it('is handed over by a first start, too, and may be clean before anyone wants it', () => {
    start(threads.registration())
    spawned[0]!.say(READY)
    const next = threads.registration()
    start(next, 1)
    expect(spawned[0]!.heard).toEqual(['handOver'])
    spawned[0]!.say({ type: 'handedOver', clean: true })
    // It has never had a program.
    expect(start(next).heard).toEqual([READY])
    expect(spawned.length).toBe(2)
  })

  it.each<[string, () => void]>([
    ['is not clean', () => spawned[0]!.say({ type: 'handedOver', clean: false })],
    ['does not answer in time', () => void time.advance(1_000)],
    ['ends meanwhile', () => spawned[0]!.terminate()],
  ])('that %s makes way for a new one', async (_, happens) => {
    start(threads.registration())
    spawned[0]!.say(READY)
    const next = start(threads.registration())
    happens()
    await settled()
    expect([spawned.length, spawned[0]!.terminated, next.heard, next.exits]).toEqual([2, true, [], []])
    spawned[1]!.say({ type: 'ready', dataPort: 8 })
    expect(next.heard).toEqual([{ type: 'ready', dataPort: 8 }])
    expect(time.pendingMs).toEqual([])
  })

  it('gets its buffers back and no state while it ends its tasks', () => {
    start(threads.registration())
    spawned[0]!.say(READY)
    threads.registration().enter()
    spawned[0]!.say({
      type: 'stateChunk',
      vertexId: 'v',
      subtask: 0,
      checkpointId: 1,
      index: 0,
      buffer: new ArrayBuffer(3),
      length: 3,
    })
    spawned[0]!.say({ type: 'readState', request: 5, file: 'f', offset: 0, length: 1 })
    expect(spawned[0]!.posted.slice(1)).toMatchObject([
      { type: 'stateBuffer' },
      { type: 'stateRead', request: 5, error: {} },
    ])
  })

  it('that retires is not kept, and ends are told to whoever has it', async () => {
    const one = start(threads.registration())
    one.host.port.post({ type: 'retire' })
    const next = threads.registration()
    next.enter()
    expect(spawned[0]!.terminated).toBe(true)
    const other = start(next)
    spawned[1]!.terminate()
    await settled()
    expect([one.exits, other.exits, spawned.length]).toEqual([[], [{ code: 1 }], 2])
  })

  it('ends with its process', () => {
    const registration = threads.registration()
    start(registration, 0)
    start(registration, 1)
    threads.end()
    expect(spawned.map(({ terminated }) => terminated)).toEqual([true, true])
  })
})
