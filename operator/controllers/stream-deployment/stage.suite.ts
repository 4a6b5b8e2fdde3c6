/** An operator's controller over an API server in memory, with a node and a JobManager that are played, and time that tests move. */
import { expect } from 'vitest'
import { ManualClock, systemSchedule } from '../../../runtime/core/clock.ts'
import { type ApiKind, ApiServer } from '../../kube/api-server.suite.ts'
import { KubeClient } from '../../kube/client.ts'
import type { Render } from '../../resources/rendering.ts'
import { DEPLOYMENTS } from './act.ts'
import { StreamDeploymentController } from './controller.ts'
import { FakeNode } from './fake-cluster.suite.ts'

export const KEY = { namespace: 'jobs', name: 'fraud' }

export const MANIFEST = {
  metadata: KEY,
  spec: {
    image: 'fraud:1',
    flinkConfiguration: {
      'taskmanager.numberOfTaskSlots': '4',
      'state.checkpoints.dir': 's3://b/checkpoints',
      'state.savepoints.dir': 's3://b/savepoints',
      'execution.checkpointing.interval': '60000',
    },
    jobManager: { resource: { memory: '2048m', cpu: 1 } },
    taskManager: { resource: { memory: '4096m', cpu: 2 }, replicas: 3 },
    job: {
      jarURI: 'local:///opt/tailrace/usrlib/fraud.js',
      args: ['--kafka', 'k:9092'],
      parallelism: 12,
      state: 'running',
      upgradeMode: 'savepoint',
      savepointTriggerNonce: 0,
      allowNonRestoredState: false,
    },
  },
}

export class Stage {
  readonly clock = new ManualClock(1_800_000_000_000)
  readonly server: ApiServer
  readonly client: KubeClient
  readonly node: FakeNode
  /** Reasons. */
  readonly events: string[] = []
  controller: StreamDeploymentController

  /** @param kinds instead of those that the server has */
  constructor(kinds: readonly ApiKind[] = []) {
    const scale = { specReplicas: 'spec.taskManager.replicas', statusReplicas: 'status.taskManager.replicas' }
    const { clock } = this
    this.server = new ApiServer({ clock, kinds: [{ ...DEPLOYMENTS, status: true, generation: true, scale }, ...kinds] })
    this.client = new KubeClient({
      transport: this.server.transport(),
      schedule: systemSchedule,
      random: () => 0.5,
    })
    this.node = new FakeNode(this.server, KEY)
    this.controller = this.operator()
  }

  operator(defaults = { image: 'tailrace:1' }, render?: Render): StreamDeploymentController {
    return new StreamDeploymentController({
      client: this.client,
      defaults,
      ...(render && { render }),
      jobManager: () => this.node,
      clock: this.clock,
      schedule: (ms, callback) => systemSchedule(Math.min(ms, 1), callback),
      enqueue: () => {},
      event: (_about, { reason }) => this.events.push(reason),
    })
  }

  /** Another process takes over, which remembers nothing. */
  restart(defaults?: { image: string }, render?: Render): void {
    this.controller.close()
    this.controller = this.operator(defaults, render)
  }

  apply(manifest: object = MANIFEST): void {
    this.server.put(DEPLOYMENTS, structuredClone(manifest) as typeof MANIFEST)
  }

  edit(spec: object): Promise<unknown> {
    return this.client.patch(DEPLOYMENTS, KEY, { spec })
  }

  resource(): any {
    return this.server.get(DEPLOYMENTS, KEY)
  }

  condition(type: string): any {
    return this.resource().status?.conditions?.find((one: any) => one.type === type)
  }

  isReady(): boolean {
    return this.condition('Ready')?.status === 'True'
  }

  runs(image: string, begins: number): () => boolean {
    return () => this.isReady() && this.node.job?.image === image && this.node.begins.length === begins
  }

  async turn(): Promise<void> {
    await this.controller.reconcile(KEY)
    this.node.turn(this.clock.now())
    this.clock.advance(500)
    // The long poll has its say.
    await new Promise((resolve) => setTimeout(resolve, 3))
  }

  /** Until it is so; fails after more turns than anything here takes. */
  async until(what: string, is: () => boolean): Promise<void> {
    for (let turn = 0; turn < 60; turn++) {
      await this.turn()
      if (is()) return
    }
    expect.fail(`never: ${what}; status ${JSON.stringify(this.resource()?.status, undefined, 1)}`)
  }

  /** What the operator writes while nothing is wrong. */
  async writes(turns = 4): Promise<string[]> {
    const from = this.server.requests.length
    for (let turn = 0; turn < turns; turn++) await this.turn()
    return this.server.requests
      .slice(from)
      .filter(({ verb }) => verb !== 'get' && verb !== 'list' && verb !== 'watch')
      .map(({ verb, kind, name }) => `${verb} ${kind} ${name}`)
  }
}
