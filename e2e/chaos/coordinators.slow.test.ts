/**
 * Moments of a checkpoint in which a JobManager dies, or is held up while another takes over: real processes, and a store whose requests the test holds. The output is the oracle's
 * each time.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startToyS3, type ToyS3 } from '../../runtime/checkpoint/toy-s3.suite.ts'
import { type CheckpointPlace, FOLDER, serverPlace } from './checkpoint-place.ts'
import { type LifeEnd, live } from './life.ts'
import { seededRandom } from './random.ts'
import { makeScene, type Scene } from './scene.ts'

const PREFIX = `job/${FOLDER}/`
const METADATA = `PUT ${PREFIX}chk-3/_metadata`

let server: ToyS3
let place: CheckpointPlace
let scene: Scene
/** What owner 2 wrote about what it goes on from. */
let start: { takesOver: unknown } | undefined

beforeEach(async () => {
  server = await startToyS3()
  place = serverPlace(server)
  scene = makeScene('coordinators', seededRandom(4))
  start = undefined
})
afterEach(async () => {
  await place.close()
  scene.remove()
})

/** Also reads what owner 2 begins from, while it is there. */
function hold(held: (request: string, when: 'before' | 'after') => Promise<void> | undefined): void {
  server.hold = (request, when) => {
    const key = `${PREFIX}claims/2.start`
    if (when === 'after' && request === `PUT ${key}`)
      start = JSON.parse(Buffer.from(server.objects.get(key)!).toString())
    return held(request, when)
  }
}

function run(logFile = scene.logFile, onSpawn?: Parameters<typeof live>[0]['onSpawn']): Promise<LifeEnd> {
  appendFileSync(logFile, '')
  const args = scene.args({ parallelism: 2, intervalMs: 150, place })
  return live({ args, blows: [], place, logFile, ...(onSpawn && { onSpawn }) })
}

describe('a coordinator that is killed', () => {
  it.each([
    ['before its metadata is there', 'before', 2],
    ['between metadata and notify', 'after', 3],
  ] as const)('%s: the next one goes on from what is complete', { timeout: 60_000 }, async (_, moment, from) => {
    let kill = () => {}
    hold((request, when) => {
      if (request !== METADATA || when !== moment) return undefined
      hold(() => undefined)
      kill()
      return new Promise(() => {})
    })
    const first = await run(scene.logFile, (child) => {
      kill = () => child.kill('SIGKILL')
    })
    expect([first.code, first.hung]).toEqual([null, false])
    // What was held before it took effect never does.
    if (moment === 'before') expect(server.objects.has(METADATA.slice(4))).toBe(false)
    const second = await run()
    expect([second.code, await scene.problems()]).toEqual([0, []])
    expect(start?.takesOver).toEqual({ epoch: 1, checkpointId: from })
  })
})

describe('a zombie coordinator', () => {
  it.each([
    ['while its successor runs', () => start !== undefined],
    ['after its successor’s job has ended', () => place.ended()],
  ] as const)(
    'that completes a checkpoint late, %s, is deposed and commits nothing',
    { timeout: 60_000 },
    async (_, isLate) => {
      const log = `${scene.logFile}-zombie`
      const held = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      let once = false
      let stop = () => {}
      let goOn = () => {}
      hold((request, when) => {
        if (isLate()) release.resolve()
        if (once || request !== METADATA || when !== 'before') return undefined
        once = true
        // All of it stands still, clocks go on, and the network still has its request.
        stop()
        held.resolve()
        return release.promise.then(goOn)
      })
      const zombie = run(log, (child) => {
        stop = () => child.kill('SIGSTOP')
        goOn = () => child.kill('SIGCONT')
      })
      await held.promise
      const successor = await run()
      release.resolve()
      const { code } = await zombie
      expect([successor.code, await scene.problems()]).toEqual([0, []])
      expect(start?.takesOver).toEqual({ epoch: 1, checkpointId: 2 })
      expect([code, readFileSync(log, 'utf8')]).toEqual([1, expect.stringContaining('TR-CHECKPOINT-002')])
    },
  )
})
