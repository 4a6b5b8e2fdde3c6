import { describe, expect, it } from 'vitest'
import type { TailraceError } from '../../core/errors.ts'
import { KEEP_ALIVE, keepAliveOf } from './connection.ts'
import { channelKey } from './slot-links.ts'
import { type Side, TestChannel, TwoSlots } from './two-slots.suite.ts'

type Pair = [Side, Side]

async function make(seed = 1) {
  const slots = await TwoSlots.make({ seed })
  const [a, b] = slots.sides as Pair
  return { slots, network: slots.network, time: slots.time, a, b }
}

/** Begins the attempt on both sides, with one channel from a to b, and opens it. */
async function opened(slots: TwoSlots, attempt = 0) {
  const [a, b] = slots.sides as Pair
  for (const side of [a, b]) slots.begin(side, { attempt })
  const channel = new TestChannel(a, b, 0)
  const open = Promise.all([a.links.open(), b.links.open()])
  await slots.network.settle()
  await open
  return channel
}

async function send(slots: TwoSlots, channel: TestChannel, value: unknown) {
  channel.writer.process(value, 0)
  channel.writer.flushAll()
  for (const { links } of slots.sides) links.flush()
  await slots.network.settle()
  channel.gate.take(() => false)
}

const HEARTBEAT_TIMEOUT_MS = 5000

/** Intervals that have passed until then. */
async function ticksUntil(done: () => boolean, network: TwoSlots['network'], time: TwoSlots['time']): Promise<number> {
  for (let ticks = 0; ; ticks++) {
    if (done()) return ticks
    if (ticks > 100) throw new Error('it never comes')
    time.advance(KEEP_ALIVE.intervalMs)
    await network.settle()
  }
}

const problem = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: TailraceError) => `${error.code} ${error.message}`,
  )

describe('links between slots', () => {
  it('open one connection for each pair, dialled by the lower index, whichever begins first', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { slots, network, a, b } = await make()
      const open: Promise<void>[] = []
      for (const index of order) {
        const side = slots.sides[index]!
        slots.begin(side)
        if (index === 0) a.links.output(1, 'x')
        else b.links.input(0, 'x')
        open.push(side.links.open())
        await network.settle()
      }
      await Promise.all(open)
      expect(network.ends.map(({ remote }) => remote)).toEqual(['host-1:1001', 'caller'])
      expect([a.links.active, b.links.active]).toEqual([true, true])
    }
  })

  it('need no connection where no channel is', async () => {
    const { slots, network, a } = await make()
    slots.begin(a)
    await a.links.open()
    expect(a.links.active).toBe(false)
    expect(network.ends).toEqual([])
  })

  it('give no credit before both sides have begun', async () => {
    const { slots, network, a } = await make()
    slots.begin(a)
    const output = a.links.output(1, channelKey(0, 0, 1))
    const open = problem(a.links.open())
    await network.settle()
    expect([output.hasRoom(), output.hasCredit(), output.take(false)]).toEqual([false, false, -1])
    a.links.end()
    expect(await open).toMatch(/^TR-EXCHANGE-002 .*the attempt has ended/)
  })

  it('wake the slot that data or credit came for', async () => {
    const { slots, a, b } = await make()
    const channel = await opened(slots)
    b.wakes = 0
    await send(slots, channel, { n: 1 })
    expect(b.wakes).toBe(1)
    expect(channel.came).toEqual([{ n: 1 }])
    // Until nothing fits: then the sender waits, and what the receiver takes wakes it.
    const { writer, overflow } = channel
    for (let i = 0; overflow.size === 0; i++) writer.process({ i, text: 'x'.repeat(3000) }, 0)
    expect(writer.blocked()).toBe(true)
    a.links.flush()
    await slots.network.settle()
    a.wakes = 0
    channel.gate.take(() => false)
    b.links.flush()
    await slots.network.settle()
    expect(a.wakes).toBeGreaterThan(0)
    expect(writer.drain()).toBe(true)
  })
})

describe('a hello', () => {
  const calls = async (more: Parameters<TwoSlots['begin']>[1], theirs: Parameters<TwoSlots['begin']>[1] = {}) => {
    const { slots, network, time, a, b } = await make()
    slots.begin(b, theirs)
    b.links.input(0, 'x')
    const waits = problem(b.links.open())
    slots.begin(a, more)
    a.links.output(1, 'x')
    const open = problem(a.links.open())
    await network.settle()
    time.advance(29_999)
    await network.settle()
    time.advance(1)
    await network.settle()
    time.advance(100_000)
    await waits
    return open
  }

  it('with a wrong token is refused', async () => {
    expect(await calls({ token: 'guess!' })).toMatch(
      /^TR-EXCHANGE-002 Cannot open the channels of slot 0: Lost slot 1 at host-1:1001: .* the token is not that of the deployment: this is slot 1 of attempt 0 of job job$/,
    )
    expect(await calls({ token: 'longer than the other' })).toMatch(/the token is not that/)
  })

  it('for an attempt that is over is refused', async () => {
    expect(await calls({ attempt: 3 }, { attempt: 4 })).toMatch(/attempt 3 is over: this is slot 1 of attempt 4/)
  })

  it('for an attempt that does not come, or for another job, is refused when it has waited', async () => {
    expect(await calls({ attempt: 5 }, { attempt: 4 })).toMatch(
      /was not let in within 30000 ms: this slot runs attempt 4 of job job|did not begin attempt 5 within 30000 ms/,
    )
    expect(await calls({ jobId: 'other' })).toMatch(
      /this slot runs attempt 0 of job job|did not begin attempt 0 within 30000 ms/,
    )
  })

  it('from a slot that has no channel here is refused', async () => {
    const { slots, network, a, b } = await make()
    slots.begin(a)
    a.links.output(1, 'x')
    const third = await slots.side(2)
    slots.sides.push(third)
    slots.begin(b)
    b.links.output(2, 'y')
    void problem(b.links.open())
    const open = problem(a.links.open())
    await network.settle()
    expect(await open).toMatch(/slot 0 has nothing to call for: this is slot 1/)
  })

  it('that never comes ends the connection', async () => {
    const { network, time } = await make()
    const socket = network.connect({ host: 'host-1', port: 1001 })
    let closed = ''
    socket.start({
      open() {},
      received: (bytes, length) => void (closed += bytes.toString('latin1', 0, length)),
      closed() {},
    })
    for (let ms = 0; ms < 30_000; ms += 1000) {
      await network.settle()
      time.advance(1000)
    }
    await network.settle()
    expect(closed).toContain('was not let in within 30000 ms')
  })

  it('at a port that nobody listens on fails at once', async () => {
    const { slots, network, a, b } = await make()
    b.port.close()
    slots.begin(a)
    a.links.output(1, 'x')
    const open = problem(a.links.open())
    await network.settle()
    expect(await open).toMatch(/^TR-EXCHANGE-002 .*slot 1 at host-1:1001.*ECONNREFUSED/)
  })

  it('is followed by the same channels on both sides, or the attempt does not begin', async () => {
    const { slots, network, a, b } = await make()
    for (const side of [a, b]) slots.begin(side)
    a.links.output(1, 'x')
    b.links.input(0, 'y')
    const open = [problem(a.links.open()), problem(b.links.open())]
    await network.settle()
    const problems = await Promise.all(open)
    // For the sender everything is right until it hears what the receiver thinks.
    expect([problems[0], ...a.lost].join()).toMatch(/^resolved,1 TR-EXCHANGE-001 .*channel x is unknown here/)
    expect(problems[1]).toMatch(/^TR-EXCHANGE-002 .*channel x is unknown here/)
  })
})

describe('the next attempt', () => {
  it('keeps the connection, and gets nothing of the one before', async () => {
    const { slots, network, a, b } = await make(7)
    const first = await opened(slots, 1)
    await send(slots, first, { of: 1 })
    // Under way when both sides begin anew, cut in the middle of frames.
    for (let i = 0; i < 10; i++) first.writer.process({ late: i, text: 'x'.repeat(4000) }, 0)
    first.writer.flushAll()
    a.links.flush()
    for (let i = 0; i < 5; i++) network.step()
    expect(network.moving).toBeGreaterThan(0)
    const second = await opened(slots, 2)
    await send(slots, second, { of: 2 })
    expect(second.came).toEqual([{ of: 2 }])
    expect(network.ends.length).toBe(2)
    expect([...a.lost, ...b.lost]).toEqual([])
    for (const { links } of slots.sides) links.end()
    expect([a.pool.free(), b.pool.free()]).toEqual([16, 16])
  })

  it('may begin on one side while the other still runs the old one (property, by seed)', async () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { slots, network, a, b } = await make(seed)
      let channel = await opened(slots, 0)
      for (let attempt = 1; attempt < 5; attempt++) {
        const [early, late] = slots.random.chance(0.5) ? [a, b] : [b, a]
        const push = () => {
          if (channel.writer.blocked()) return
          channel.writer.process({ attempt: attempt - 1, text: 'x'.repeat(slots.random.below(9000)) }, 0)
          channel.writer.flushAll()
        }
        for (let i = 0; i < 5; i++) push()
        for (const side of [a, b]) side.links.flush()
        for (let i = slots.random.below(10); i > 0; i--) network.step()
        const old = channel
        slots.begin(early, { attempt })
        const key = channelKey(0, 0, 1)
        if (early === a) a.links.output(1, key)
        else b.links.input(0, key)
        const first = early.links.open()
        if (late === a) push()
        old.gate.take(() => false)
        late.links.flush()
        for (let i = slots.random.below(30); i > 0; i--) network.step()
        slots.begin(late, { attempt })
        // Both ends anew, as their slots would make them; the early side has opened already.
        if (late === a) a.links.output(1, key)
        else b.links.input(0, key)
        const second = late.links.open()
        await network.settle()
        await Promise.all([first, second])
        channel = await opened(slots, attempt + 100 * attempt)
        await send(slots, channel, { attempt })
        expect(channel.came).toEqual([{ attempt }])
        attempt += 100 * attempt
        if (attempt > 1000) break
      }
      expect([...a.lost, ...b.lost]).toEqual([])
      expect(network.ends.length).toBe(2)
    }
  })

  it('of another job makes a new connection', async () => {
    const { slots, network, a, b } = await make()
    await opened(slots)
    for (const side of [a, b]) slots.begin(side, { jobId: 'next' })
    a.links.output(1, 'x')
    b.links.input(0, 'x')
    const open = Promise.all([a.links.open(), b.links.open()])
    await network.settle()
    await open
    expect(network.ends.length).toBe(4)
    expect([...a.lost, ...b.lost]).toEqual([])
  })
})

describe('a lost peer', () => {
  it('is told of once, by its index and address', async () => {
    const { slots, network, a } = await make()
    const channel = await opened(slots)
    network.ends[1]!.reset()
    await network.settle()
    expect(a.lost).toEqual([
      '1 TR-EXCHANGE-001 Lost slot 1 at host-1:1001: The connection to the slot at host-1:1001 failed with ECONNRESET',
    ])
    // What is still written waits in the overflow.
    channel.writer.process({ n: 1 }, 0)
    channel.writer.flushAll()
    a.links.flush()
    expect(channel.overflow.size).toBe(1)
  })

  it('is called again by the next attempt', async () => {
    const { slots, network, a } = await make()
    await opened(slots)
    network.ends[1]!.reset()
    await network.settle()
    const channel = await opened(slots, 1)
    await send(slots, channel, { n: 1 })
    expect(channel.came).toEqual([{ n: 1 }])
    expect(a.lost.length).toBe(1)
  })

  it('is noticed by its silence when nothing of it comes any more', async () => {
    const { slots, network, time, a, b } = await make()
    await opened(slots)
    for (let i = 0; i < 20; i++) {
      time.advance(KEEP_ALIVE.intervalMs)
      await network.settle()
    }
    expect([...a.lost, ...b.lost]).toEqual([])
    // Nobody asked for another connection.
    expect(network.ends.length).toBe(2)
    // The cable is pulled.
    for (const end of network.ends) end.cut = true
    network.away.add('host-1:1001')
    const ticks = await ticksUntil(() => a.lost.length > 0, network, time)
    expect(ticks * KEEP_ALIVE.intervalMs).toBeLessThanOrEqual(HEARTBEAT_TIMEOUT_MS + KEEP_ALIVE.intervalMs)
    expect(a.lost).toEqual([
      expect.stringMatching(/^1 TR-EXCHANGE-001 Lost slot 1 .* nothing came for 5000 ms, and its machine takes no/),
    ])
    // The other side, whose machine has its network, finds nobody either.
    network.away.add('host-0:1000')
    await ticksUntil(() => b.lost.length > 0, network, time)
    expect(b.lost).toEqual([expect.stringMatching(/^0 TR-EXCHANGE-001 Lost slot 0/)])
  })

  it('is not one that is busy: its machine takes another connection, and it has six times as long', async () => {
    const { slots, network, time, a, b } = await make()
    const channel = await opened(slots)
    for (const end of network.ends) end.cut = true
    network.busy.add('host-1:1001').add('host-0:1000')
    for (let i = 0; i < 2 * KEEP_ALIVE.silentMax; i++) {
      time.advance(KEEP_ALIVE.intervalMs)
      await network.settle()
    }
    expect([...a.lost, ...b.lost]).toEqual([])
    // It is back: what waited comes, and the connections beside this one are gone.
    for (const end of network.ends.slice(0, 2)) end.cut = false
    await send(slots, channel, { n: 1 })
    expect(channel.came).toEqual([{ n: 1 }])
    time.advance(KEEP_ALIVE.intervalMs)
    await network.settle()
    expect([a.port.pieces.inUse, b.port.pieces.inUse]).toEqual([0, 0])
    for (const end of network.ends) end.cut = true
    expect(await ticksUntil(() => a.lost.length > 0, network, time)).toBeGreaterThanOrEqual(KEEP_ALIVE.busyMax)
    expect(a.lost[0]).toMatch(/nothing came for 30000 ms, not even the answer to a ping/)
  })

  it('is one whose slot answers elsewhere, as only the connection leads nowhere any more', async () => {
    const { slots, network, time, a } = await make()
    await opened(slots)
    // A firewall has forgotten it; new ones pass.
    for (const end of network.ends) end.cut = true
    const ticks = await ticksUntil(() => a.lost.length > 0, network, time)
    expect(ticks).toBeLessThanOrEqual(KEEP_ALIVE.silentMax + 1)
    expect(a.lost[0]).toMatch(/the slot answers on another connection/)
  })

  it('is noticed while no attempt runs, so that the next one dials anew', async () => {
    const { slots, network, time, a, b } = await make()
    await opened(slots)
    for (const { links } of slots.sides) links.end()
    for (const end of network.ends) end.cut = true
    network.away.add('host-1:1001').add('host-0:1000')
    await ticksUntil(() => a.links.kept + b.links.kept === 0, network, time)
    expect([...a.lost, ...b.lost]).toEqual([])
    network.away.clear()
    const dialled = network.ends.length
    const channel = await opened(slots, 1)
    await send(slots, channel, { n: 1 })
    expect(channel.came).toEqual([{ n: 1 }])
    expect(network.ends.length).toBe(dialled + 2)
  })

  it('is asked often enough for the time that heartbeats have', () => {
    expect(keepAliveOf(1000, 5000)).toEqual({ intervalMs: 1000, silentMax: 5, busyMax: 30 })
    expect(keepAliveOf(10_000, 50_000)).toEqual({ intervalMs: 10_000, silentMax: 5, busyMax: 30 })
    expect(keepAliveOf(5000, 5000)).toEqual({ intervalMs: 1250, silentMax: 4, busyMax: 24 })
    expect(keepAliveOf(10, 10)).toEqual({ intervalMs: 2.5, silentMax: 4, busyMax: 24 })
  })

  it('is called back in though this side has not noticed that the old connection is dead', async () => {
    const { slots, network, a, b } = await make()
    await opened(slots)
    // The dialer sees its end fail; the other hears nothing.
    network.ends[1]!.cut = true
    network.ends[0]!.cut = true
    network.ends[0]!.events.closed('failed with ETIMEDOUT')
    expect(a.lost.length).toBe(1)
    const channel = await opened(slots, 1)
    await send(slots, channel, { n: 1 })
    expect(channel.came).toEqual([{ n: 1 }])
    expect(b.lost).toEqual([])
  })

  it('does not matter when everything has been sent and has come', async () => {
    const { slots, network, a, b } = await make()
    const channel = await opened(slots)
    channel.writer.process({ n: 1 }, 0)
    channel.writer.end()
    a.links.flush()
    await network.settle()
    a.links.close()
    await network.settle()
    channel.gate.take(() => false)
    expect(channel.came).toEqual([{ n: 1 }])
    expect(channel.gate.ended).toBe(true)
    expect([...a.lost, ...b.lost]).toEqual([])
  })
})

describe('the pool', () => {
  it('is given back by senders that do not need it when others do', async () => {
    const slots = await TwoSlots.make({ poolBuffers: 4 })
    const [a, b] = slots.sides as Pair
    for (const side of [a, b]) slots.begin(side)
    const channels = [0, 1, 2].map((edge) => new TestChannel(a, b, edge))
    const open = Promise.all([a.links.open(), b.links.open()])
    await slots.network.settle()
    await open
    const pass = async () => {
      for (const { links } of [a, b]) links.flush()
      await slots.network.settle()
    }
    // Each of the first two has one ahead and asks for no more; the third takes what there is and wants the rest.
    const busy = channels[2]!
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 4; i++) busy.writer.process({ text: 'x'.repeat(30_000) }, 0)
      busy.writer.drain()
      busy.writer.blocked()
      await pass()
      slots.time.advance(10)
      await pass()
    }
    expect(b.pool.free()).toBe(0)
    const held = () => busy.gate.queued
    expect(held()).toBeGreaterThanOrEqual(4)
  })
})
