/** Operators that die anywhere, over a model of a deployment: what is wanted comes about, no savepoint is taken twice, and no job loses its state. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DeploymentSpec, JobSpec } from '../../api/deployment-spec.ts'
import { exampleSpec } from '../../resources/example.suite.ts'
import { World } from './world.suite.ts'

type Edit = {
  image?: number
  parallelism?: number
  replicas?: number
  nonce?: number
  state?: JobSpec['state']
  upgradeMode?: JobSpec['upgradeMode']
  restart?: number
}

const edit: fc.Arbitrary<Edit> = fc.record(
  {
    image: fc.integer({ min: 1, max: 3 }),
    parallelism: fc.integer({ min: 1, max: 12 }),
    replicas: fc.integer({ min: 1, max: 4 }),
    nonce: fc.integer({ min: 1, max: 4 }),
    state: fc.constantFrom('running', 'suspended'),
    upgradeMode: fc.constantFrom('savepoint', 'last-state'),
    restart: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: [] },
)

function edited(
  spec: DeploymentSpec,
  { image, parallelism, replicas, nonce, state, upgradeMode, restart }: Edit,
): DeploymentSpec {
  const job = {
    ...spec.job!,
    ...(parallelism && { parallelism }),
    ...(nonce && { savepointTriggerNonce: nonce }),
    ...(state && { state }),
    ...(upgradeMode && { upgradeMode }),
  }
  return {
    ...spec,
    ...(image && { image: `fraud:${image}` }),
    ...(restart && { restartNonce: restart }),
    taskManager: { ...spec.taskManager, ...(replicas && { replicas }) },
    job,
  }
}

/** Whole passes until nothing changes any more. */
function settle(world: World, crashes = false): void {
  for (let turn = 0; turn < 90; turn++) {
    world.reconcile()
    if (crashes && turn === 3) world.crash()
    world.advance()
  }
}

const moment = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('reconcile' as const), steps: fc.integer({ min: 0, max: 8 }) }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('advance' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('edit' as const), edit }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('operator' as const), version: fc.integer({ min: 1, max: 3 }) }),
  },
)

describe('decide(), with operators that are killed between any two steps', () => {
  const run = (moments: fc.Arbitrary<any>, check: (world: World) => void, crashes = false) => {
    fc.assert(
      fc.property(fc.array(moments, { maxLength: 40 }), (all) => {
        const world = new World(exampleSpec())
        settle(world)
        for (const one of all) {
          if (one.what === 'reconcile') world.reconcile(one.steps)
          else if (one.what === 'advance') world.advance()
          else if (one.what === 'crash') world.crash()
          else if (one.what === 'operator') world.version = one.version
          else world.wanted = edited(world.wanted, one.edit)
          if (world.job?.state === 'RUNNING') expect(world.job.value, 'what the job has counted').toBeGreaterThan(0)
        }
        settle(world, crashes)
        expect(world.unasked, 'restarts that no edit asked for').toBe(0)
        expect(world.doubled, 'starts behind what had been committed').toBe(0)
        check(world)
      }),
      { numRuns: 100 },
    )
  }

  const isAsWanted = (world: World) => {
    const { job: wish, image } = world.wanted
    expect(world.error).toBeUndefined()
    for (const { value } of world.starts.slice(1)) expect(value, 'what a start goes on from').toBeGreaterThan(0)
    if (wish!.state === 'suspended') {
      expect([world.record.step, world.jobManager]).toEqual(['SUSPENDED', undefined])
      return
    }
    expect([world.jobManager?.spec.image, world.job?.state, world.job?.parallelism]).toEqual([
      image,
      'RUNNING',
      world.record.scale!.parallelism,
    ])
    expect(world.taskManagers).toBe(world.record.scale!.taskManagers)
    expect(world.record.nonces.savepoint).toBe(wish!.savepointTriggerNonce)
  }

  it('ends in what is wanted, and takes no savepoint twice', () => {
    run(moment, (world) => {
      isAsWanted(world)
      for (const times of world.triggered.values()) expect(times).toBe(1)
    })
  })

  it('ends in what is wanted though JobManagers die too', () => {
    const crash = { weight: 1, arbitrary: fc.record({ what: fc.constant('crash' as const) }) }
    run(fc.oneof({ weight: 8, arbitrary: moment }, crash), isAsWanted, true)
  })

  it('deletes it, whenever that is wanted', () => {
    run(moment, (world) => {
      world.deletionMs = world.nowMs
      for (let turn = 0; turn < 100 && !world.gone; turn++) {
        world.reconcile(turn % 3)
        world.advance()
      }
      expect([world.gone, world.jobManager]).toEqual([true, undefined])
    })
  })
})
