/** What a slot does beside attempts: it loads a program ahead of its deployment, and leaves what it ran to the next leader. */
import { expect, it } from 'vitest'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import type { LogicalGraph } from '../graph/model.ts'
import { portPair } from '../rpc/port.ts'
import type { FromSlotThread, ProgramRef, SlotDeployment, ToSlotThread } from '../rpc/slot-messages.ts'
import { Slot } from './slot.ts'

const program: ProgramRef = { url: 'file:///job.ts', args: [], parameters: {}, options: {} }
const replay = { executeIndex: 0, results: [], once: {} }

function slotOf(build: () => Promise<LogicalGraph>) {
  const [near, far] = portPair<ToSlotThread, FromSlotThread>()
  const said: FromSlotThread[] = []
  const built: string[][] = []
  near.onMessage((message) => said.push(message))
  new Slot({
    port: far,
    buildGraph: (ref) => {
      built.push(ref.args)
      return build()
    },
  })
  /** It builds another graph than this, and says so. */
  const deploy = (ref: ProgramRef) =>
    near.post({
      type: 'deploy',
      deployment: {
        program: ref,
        replay,
        plan: { hash: 'of another graph', vertices: [], edges: [], config: {} },
      } as unknown as SlotDeployment,
    })
  const hears = (type: FromSlotThread['type'], times = 1) =>
    expect.poll(() => said.filter((message) => message.type === type).length).toBe(times)
  return { near, said, built, deploy, hears }
}

const graph = async (): Promise<LogicalGraph> => {
  const env = new StreamExecutionEnvironment(undefined)
  env.fromData(1).print()
  return env.getStreamGraph('numbers')
}

it('builds the graph of a deployment that was announced once, and that of another program anew', async () => {
  const { near, built, deploy, hears } = slotOf(graph)
  near.post({ type: 'prepare', jobId: 'j', program, replay })
  await expect.poll(() => built.length).toBe(1)
  deploy({ ...program })
  await hears('deployFailed')
  expect(built).toEqual([[]])
  near.post({ type: 'prepare', jobId: 'j', program, replay })
  deploy({ ...program, args: ['other'] })
  await hears('deployFailed', 2)
  expect(built).toEqual([[], [], ['other']])
})

it('tells what is wrong with a program when it is deployed, not when it is announced', async () => {
  const { near, built, deploy, hears, said } = slotOf(() => Promise.reject(new Error('no such module')))
  near.post({ type: 'prepare', jobId: 'j', program, replay })
  await expect.poll(() => built.length).toBe(1)
  expect(said).toEqual([{ type: 'ready' }])
  deploy(program)
  await hears('deployFailed')
  expect([built.length, said.at(-1)]).toMatchObject([
    2,
    { error: { message: expect.stringContaining('no such module') } },
  ])
})

it('is clean for the next leader while it has run nothing, and not when what it was to run never began', async () => {
  const { near, said, deploy, hears } = slotOf(graph)
  near.post({ type: 'handOver' })
  await hears('handedOver')
  expect(said.at(-1)).toEqual({ type: 'handedOver', clean: true })
  deploy(program)
  await hears('deployFailed')
  near.post({ type: 'handOver' })
  await hears('handedOver', 2)
  expect(said.at(-1)).toEqual({ type: 'handedOver', clean: false })
})
