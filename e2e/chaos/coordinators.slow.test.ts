/**
 * Moments of a checkpoint in which a JobManager dies, or is held up while another takes over: real processes, and a store whose requests the test holds. The output is the oracle's
 * each time.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { startToyS3, type ToyS3 } from '../../runtime/checkpoint/toy-s3.suite.ts'
import { type CheckpointPlace, FOLDER, serverPlace } from './checkpoint-place.ts'
import { type LifeEnd, live } from './life.ts'
import { seededRandom } from './random.ts'
import { makeScene, type Scene } from './scene.ts'

const PREFIX = `job/${FOLDER}/`
const METADATA = `PUT ${PREFIX}chk-3/_metadata`

/** A job, its store, and the requests that are held. */
class Trial {
  readonly server: ToyS3
  readonly place: CheckpointPlace
  readonly scene: Scene
  /** What owner 2 wrote about what it goes on from. */
  start: { takesOver: unknown } | undefined

  constructor(server: ToyS3) {
    this.server = server
    this.place = serverPlace(server)
    this.scene = makeScene('coordinators', seededRandom(4))
  }

  /** Also reads what owner 2 begins from, while it is there. */
  hold(held: (request: string, when: 'before' | 'after') => Promise<void> | undefined): void {
    const { server } = this
    server.hold = (request, when) => {
      const key = `${PREFIX}claims/2.start`
      if (when === 'after' && request === `PUT ${key}`)
        this.start = JSON.parse(Buffer.from(server.objects.get(key)!).toString())
      return held(request, when)
    }
  }

  run(logFile = this.scene.logFile, onSpawn?: Parameters<typeof live>[0]['onSpawn']): Promise<LifeEnd> {
    const { place, scene } = this
    appendFileSync(logFile, '')
    const args = scene.args({ parallelism: 2, intervalMs: 150, place })
    return live({ args, blows: [], place, logFile, ...(onSpawn && { onSpawn }) })
  }

  async end(): Promise<void> {
    await this.place.close()
    this.scene.remove()
  }
}

/** Side by side, as processes mostly wait. */
const itTries = it.extend<{ trial: Trial }>({
  // biome-ignore lint/correctness/noEmptyPattern: Vitest reads the pattern.
  trial: async ({}, use) => {
    const one = new Trial(await startToyS3())
    await use(one)
    await one.end()
  },
})

describe('a coordinator that is killed', () => {
  itTries.concurrent.for([
    ['before its metadata is there', 'before', 2],
    ['between metadata and notify', 'after', 3],
  ] as const)(
    '%s: the next one goes on from what is complete',
    { timeout: 60_000 },
    async ([, moment, from], { trial }) => {
      const { scene, server } = trial
      let kill = () => {}
      trial.hold((request, when) => {
        if (request !== METADATA || when !== moment) return undefined
        trial.hold(() => undefined)
        kill()
        return new Promise(() => {})
      })
      const first = await trial.run(scene.logFile, (child) => {
        kill = () => child.kill('SIGKILL')
      })
      expect([first.code, first.hung]).toEqual([null, false])
      // What was held before it took effect never does.
      if (moment === 'before') expect(server.objects.has(METADATA.slice(4))).toBe(false)
      const second = await trial.run()
      expect([second.code, await scene.problems()]).toEqual([0, []])
      expect(trial.start?.takesOver).toEqual({ epoch: 1, checkpointId: from })
    },
  )
})

describe('a zombie coordinator', () => {
  itTries.concurrent.for([
    ['while its successor runs', ({ start }: Trial) => start !== undefined],
    ['after its successor’s job has ended', ({ place }: Trial) => place.ended()],
  ] as const)(
    'that completes a checkpoint late, %s, is deposed and commits nothing',
    { timeout: 60_000 },
    async ([, isLate], { trial }) => {
      const { scene } = trial
      const log = `${scene.logFile}-zombie`
      const held = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      let once = false
      let stop = () => {}
      let goOn = () => {}
      trial.hold((request, when) => {
        if (isLate(trial)) release.resolve()
        if (once || request !== METADATA || when !== 'before') return undefined
        once = true
        // All of it stands still, clocks go on, and the network still has its request.
        stop()
        held.resolve()
        return release.promise.then(goOn)
      })
      const zombie = trial.run(log, (child) => {
        stop = () => child.kill('SIGSTOP')
        goOn = () => child.kill('SIGCONT')
      })
      await held.promise
      const successor = await trial.run()
      release.resolve()
      const { code } = await zombie
      expect([successor.code, await scene.problems()]).toEqual([0, []])
      expect(trial.start?.takesOver).toEqual({ epoch: 1, checkpointId: 2 })
      expect([code, readFileSync(log, 'utf8')]).toEqual([1, expect.stringContaining('TR-CHECKPOINT-002')])
    },
  )
})
