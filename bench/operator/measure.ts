/** What is measured of an operator, a function for each case: each has a world and processes of its own. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { RESOURCES } from '../../operator/kube/objects.ts'
import { ANNOTATIONS, childNames } from '../../operator/resources/names.ts'
import { round } from '../measure.ts'
import { sleep, until } from '../processes.ts'
import { quantile } from './figures.ts'
import { Operator } from './operator.ts'
import { World } from './world.ts'

export interface Given {
  /** StreamDeployments. */
  resources: number
  /** For how long nothing is done. */
  seconds: number
  changes: number
  /** Of operators. */
  configuration: readonly string[]
  main: string | undefined
  logs: string | undefined
}

/** Milliseconds, or what the name says. */
export type Found = Record<string, number>

class Scene {
  readonly world: World
  readonly operators: Operator[] = []
  readonly #given: Given

  constructor(world: World, given: Given) {
    this.world = world
    this.#given = given
  }

  start(): Operator {
    const { configuration, main, logs } = this.#given
    if (logs !== undefined) mkdirSync(logs, { recursive: true })
    const operator = new Operator({
      identity: `operator-${this.operators.length}`,
      environment: this.world.environment,
      configuration,
      main,
      logFile: logs && join(logs, 'operator.log'),
    })
    this.operators.push(operator)
    return operator
  }

  /** Starts an operator, which leads, with all resources applied and running. */
  async settle(): Promise<Operator> {
    this.world.apply(this.#given.resources)
    const operator = this.start()
    await this.allRun()
    await this.rest()
    return operator
  }

  async allRun(): Promise<void> {
    const { world } = this
    let next = 0
    await until(() => {
      for (const operator of this.operators) operator.check()
      while (next < world.names.length && world.isRunning(world.names[next]!)) next++
      return next === world.names.length
    }, 'all jobs run')
  }

  /** Until no resource was looked at for two seconds. */
  async rest(): Promise<void> {
    do {
      this.world.read.clear()
      await sleep(2_000)
    } while (this.world.read.size > 0)
  }
}

async function withScene(given: Given, measure: (scene: Scene) => Promise<Found>): Promise<Found> {
  const world = await World.open()
  const scene = new Scene(world, given)
  try {
    return await measure(scene)
  } finally {
    for (const operator of scene.operators) operator.kill('SIGKILL')
    await Promise.all(scene.operators.map(({ ended }) => ended))
    await world.close()
  }
}

/** From the start of the process to its first act for a StreamDeployment that is new, beside others that run if `beside`. */
export function started(given: Given, beside: boolean): Promise<Found> {
  return withScene(given, async (scene) => {
    const { world } = scene
    if (beside) {
      const before = await scene.settle()
      before.kill('SIGTERM')
      await before.ended
    }
    const [name] = world.apply(1)
    world.read.clear()
    const operator = scene.start()
    const leadsMs = await world.when(() => world.leader === operator.identity, 'it leads')
    const firstMs = await world.when(() => world.resource(name!).metadata.finalizers !== undefined, 'it acts')
    const statusMs = await world.when(() => world.resource(name!).status !== undefined, 'there is a status')
    await until(() => world.read.size === world.names.length, 'it has looked at all')
    const allMs = performance.now()
    await scene.allRun()
    const since = (ms: number) => Math.round(ms - operator.startMs)
    return {
      leads: since(leadsMs),
      'first reconcile': since(firstMs),
      'first status': since(statusMs),
      'all looked at': since(allMs),
      CPU: operator.cpuMs,
    }
  })
}

/** So many StreamDeployments are applied at once, and all jobs run; the operator's part of it. */
export function applied(given: Given): Promise<Found> {
  return withScene(given, async (scene) => {
    const operator = scene.start()
    await scene.world.when(() => scene.world.leader === operator.identity, 'it leads')
    const [startMs, startCpuMs] = [performance.now(), operator.cpuMs]
    scene.world.apply(given.resources)
    await scene.allRun()
    return {
      'all run': Math.round(performance.now() - startMs),
      CPU: operator.cpuMs - startCpuMs,
      'peak MB': round(operator.residentMb.peak, 0),
    }
  })
}

/** Nothing happens, but that JobManagers renew their Leases and, if given, jobs complete a checkpoint each so often. */
export function idle(given: Given, checkpointMs?: number): Promise<Found> {
  return withScene(given, async (scene) => {
    const { world } = scene
    const operator = await scene.settle()
    const timers = world.names.map((name, at) =>
      checkpointMs === undefined
        ? undefined
        : setTimeout(
            () => {
              timers.push(setInterval(complete, checkpointMs, name))
              complete(name)
            },
            (checkpointMs * at) / world.names.length,
          ),
    )
    const complete = (name: string) => {
      world.node(name).completeCheckpoint(Date.now())
      world.turn(name)
    }
    await sleep(10_000)
    world.requests.clear()
    const resident: number[] = []
    const [startMs, startCpuMs] = [performance.now(), operator.cpuMs]
    while (performance.now() - startMs < given.seconds * 1_000) {
      await sleep(1_000)
      operator.check()
      resident.push(operator.residentMb.now)
    }
    const [wallMs, spentMs] = [performance.now() - startMs, operator.cpuMs - startCpuMs]
    for (const timer of timers) clearTimeout(timer)
    const asked = [...world.requests].reduce((sum, [what, count]) => (/ leases$/.test(what) ? sum : sum + count), 0)
    return {
      'CPU %': round((spentMs / wallMs) * 100, 2),
      'RSS MB': round(quantile(resident, 0.5), 0),
      'most MB': round(Math.max(...resident), 0),
      'peak MB': round(operator.residentMb.peak, 0),
      'requests/s': round((asked / wallMs) * 1000, 2),
    }
  })
}

/** Another parallelism, a savepoint, a label that all children get: done, and told in the status. */
const EDITS: readonly ((world: World, name: string, at: number) => () => boolean)[] = [
  (world, name, at) => {
    const parallelism = 5 + (at % 4)
    world.edit(name, { spec: { job: { parallelism } } })
    return () => {
      const { annotations } = world.child(RESOURCES.leases, childNames(name).lease).metadata
      return annotations[ANNOTATIONS.parallelism] === String(parallelism)
    }
  },
  (world, name, at) => {
    const before = world.node(name).operations.size
    world.edit(name, { spec: { job: { savepointTriggerNonce: at + 1 } } })
    return () => world.node(name).operations.size > before
  },
  (world, name, at) => {
    world.edit(name, {
      metadata: { labels: { team: `team-${at}` } },
      spec: { logConfiguration: { 'log.properties': `# ${at}` } },
    })
    return () => world.child(RESOURCES.statefulSets, childNames(name).taskManager).metadata.labels.team === `team-${at}`
  },
]

/** People edit one after the other, at any moment. */
export function edited(given: Given): Promise<Found> {
  return inTurn(given, async (world, name, at) => {
    const isDone = EDITS[at % EDITS.length]!(world, name, at)
    const { generation } = world.resource(name).metadata
    return await world.when(
      () => isDone() && world.resource(name).status.observedGeneration >= generation,
      `the edit of "${name}" is done`,
    )
  })
}

/** Jobs fail, and run again: told in the status. */
export function jobChanged(given: Given): Promise<Found> {
  return inTurn(given, async (world, name) => {
    const job = world.node(name).job!
    const state = job.state === 'RUNNING' ? 'RESTARTING' : 'RUNNING'
    job.state = state
    world.node(name).turn(Date.now())
    return await world.when(() => world.resource(name).status.jobStatus.state === state, `"${name}" is ${state}`)
  })
}

/** @param change resolves with when it was done */
function inTurn(given: Given, change: (world: World, name: string, at: number) => Promise<number>): Promise<Found> {
  return withScene(given, async (scene) => {
    const { world } = scene
    const operator = await scene.settle()
    const tookMs: number[] = []
    const startCpuMs = operator.cpuMs
    for (let at = 0; at < given.changes; at++) {
      const startMs = performance.now()
      tookMs.push((await change(world, world.names[(at * 37) % world.names.length]!, at)) - startMs)
      await sleep(20 + Math.random() * 100)
    }
    return {
      p50: round(quantile(tookMs, 0.5), 1),
      p99: round(quantile(tookMs, 0.99), 1),
      max: round(Math.max(...tookMs), 1),
      'CPU per change': round((operator.cpuMs - startCpuMs) / given.changes, 1),
      'peak MB': round(operator.residentMb.peak, 0),
    }
  })
}

/** The operator that leads ends, and another stands by. Then somebody edits the last of the resources. */
export function takenOver(given: Given, signal: 'SIGTERM' | 'SIGKILL'): Promise<Found> {
  return withScene(given, async (scene) => {
    const { world } = scene
    const first = await scene.settle()
    const second = scene.start()
    await sleep(5_000)
    world.read.clear()
    const startMs = performance.now()
    first.kill(signal)
    const leadsMs = await world.when(() => world.leader === second.identity, 'the other leads')
    const name = world.names.at(-1)!
    const isDone = EDITS[0]!(world, name, 1)
    const { generation } = world.resource(name).metadata
    const doneMs = await world.when(
      () => isDone() && world.resource(name).status.observedGeneration >= generation,
      'it reconciles',
    )
    await until(() => world.read.size === world.names.length, 'it has looked at all')
    return {
      leads: Math.round(leadsMs - startMs),
      reconciles: Math.round(doneMs - startMs),
      'all looked at': Math.round(performance.now() - startMs),
      'MB of the one that stood by': round(second.residentMb.peak, 0),
    }
  })
}
