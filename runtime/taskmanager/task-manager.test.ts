import { describe, expect, it } from 'vitest'
import { twoVertexPlan } from '../jobmanager/fake-slots.suite.ts'
import { Exits, type HostExit } from '../rpc/host.ts'
import type { Deployment, FromSlotThread, SlotThreadHost, ToSlotThread } from '../rpc/slot-messages.ts'
import { TaskManager } from './task-manager.ts'

class FakeThread implements SlotThreadHost {
  readonly posted: ToSlotThread[] = []
  readonly #exits = new Exits()
  say: (message: FromSlotThread) => void = () => {}
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
    this.#exits.happen({ code: 1 })
  }
  get wiring() {
    return this.posted.findLast((message) => message.type === 'deploy')!.deployment.wiring
  }
}

function begin() {
  const threads: FakeThread[] = []
  const taskManager = new TaskManager({
    id: 'here',
    spawn: () => {
      threads.push(new FakeThread())
      return threads.at(-1)!
    },
    storeOf: () => undefined,
  })
  const plan = twoVertexPlan(3)
  const places = Object.fromEntries(plan.vertices.map(({ id }) => [id, [0, 1, 2]]))
  const slots = [{ taskManager: 'here' }, { taskManager: 'here' }, { taskManager: 'elsewhere' }]
  const deployment = (slotIndex: number, attempt: number) =>
    ({ jobId: 'j', attempt, slotIndex, plan, places, slots }) as unknown as Deployment
  const hosts = [taskManager.start(0), taskManager.start(1)]
  const deploy = (slot: number, attempt = 0) =>
    hosts[slot]!.port.post({ type: 'deploy', deployment: deployment(slot, attempt) })
  return { threads, hosts, deploy, plan }
}

describe('TaskManager', () => {
  it('gives the slots of one attempt the same memory, and none of it to those of other processes', () => {
    const { threads, deploy, plan } = begin()
    deploy(0)
    deploy(1)
    const [a, b] = threads
    expect(a!.wiring).toBe(b!.wiring)
    expect(a!.wiring.doorbells.map((bell) => bell?.byteLength)).toEqual([8, 8, undefined])
    expect(a!.wiring.pools[2]).toBeUndefined()
    const sink = plan.vertices.at(-1)!.id
    expect(a!.wiring.gates[sink]!.map((gate) => gate !== undefined)).toEqual([true, true, false])
  })

  it('uses nothing of an attempt for the next one', () => {
    const { threads, deploy } = begin()
    deploy(0)
    deploy(1)
    const before = threads[0]!.wiring
    deploy(1, 1)
    deploy(0, 1)
    expect(threads[0]!.wiring).toBe(threads[1]!.wiring)
    expect(threads[0]!.wiring).not.toBe(before)
    expect(threads[0]!.wiring.pools[0]).not.toBe(before.pools[0])
  })

  it('lets go of the memory when the last of its slots has ended', async () => {
    const { threads, hosts, deploy } = begin()
    deploy(0)
    const before = threads[0]!.wiring
    hosts[0]!.terminate()
    await Promise.resolve()
    // The attempt has no slot here any more: whoever deploys it again shares nothing with a thread that is gone.
    deploy(1)
    expect(threads[1]!.wiring).not.toBe(before)
  })

  it('keeps what is about the bytes of state for itself', async () => {
    const { threads, hosts, deploy } = begin()
    const heard: string[] = []
    hosts[0]!.port.onMessage((message) => heard.push(message.type))
    deploy(0)
    threads[0]!.say({ type: 'deployed' })
    threads[0]!.say({ type: 'readState', request: 3, file: 'shared/1-1-a', offset: 0, length: 1 })
    await Promise.resolve()
    expect(heard).toEqual(['deployed'])
    expect(threads[0]!.posted.at(-1)).toMatchObject({
      type: 'stateRead',
      request: 3,
      error: { code: 'TR-CHECKPOINT-003' },
    })
  })
})
