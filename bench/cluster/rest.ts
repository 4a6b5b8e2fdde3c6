/** What a cluster says of its job by REST. */

type Times = Record<string, number>
interface Job {
  state: string
  timestamps: Times
  vertices: { id: string; status: string }[]
}

/** What is read of `/jobs/:id/checkpoints`. */
interface CheckpointCounts {
  counts: { completed: number }
  latest: { completed?: { state_size: number } | null }
}

export class Rest {
  readonly #base: string

  constructor(port: number) {
    this.#base = `http://127.0.0.1:${port}`
  }

  /** Undefined while nobody listens. */
  async job(): Promise<(Job & { path: string }) | undefined> {
    try {
      const { jobs } = (await this.#get('/jobs')) as { jobs: { id: string }[] }
      if (jobs[0] === undefined) return undefined
      const path = `/jobs/${jobs[0].id}`
      return { ...((await this.#get(path)) as Job), path }
    } catch {
      return undefined
    }
  }

  /** Whether all tasks of the job run. */
  async runs(): Promise<boolean> {
    const job = await this.job()
    return job?.state === 'RUNNING' && job.vertices.every(({ status }) => status === 'RUNNING')
  }

  /** When the job and its tasks came into their states last. Milliseconds since the epoch. */
  async phases(): Promise<Times> {
    const { path, timestamps, vertices } = (await this.job())!
    const times = (await Promise.all(vertices.map(({ id }) => this.#get(`${path}/vertices/${id}/subtasktimes`)))) as {
      subtasks: { timestamps: Times }[]
    }[]
    const last = (state: string): number =>
      Math.max(...times.flatMap(({ subtasks }) => subtasks.map((one) => one.timestamps[state]!)))
    return {
      noticed: timestamps.RESTARTING!,
      'cancelled and due': timestamps.CREATED!,
      'slots there': timestamps.RUNNING!,
      deployed: last('INITIALIZING'),
      running: last('RUNNING'),
    }
  }

  /** Completed checkpoints of the job, and the newest one's bytes. */
  async checkpoints(): Promise<{ completed: number; bytes: number }> {
    const job = await this.job()
    if (job === undefined) return { completed: 0, bytes: 0 }
    const { counts, latest } = (await this.#get(`${job.path}/checkpoints`)) as CheckpointCounts
    return { completed: counts.completed, bytes: latest.completed?.state_size ?? 0 }
  }

  /** The parallelism of all vertices, exactly. */
  async setParallelism(parallelism: number): Promise<void> {
    const { path, vertices } = (await this.job())!
    const bounds = { parallelism: { lowerBound: parallelism, upperBound: parallelism } }
    const response = await fetch(`${this.#base}${path}/resource-requirements`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(Object.fromEntries(vertices.map(({ id }) => [id, bounds]))),
    })
    if (!response.ok) throw new Error(`Cannot rescale: ${response.status} ${await response.text()}`)
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(this.#base + path)
    if (!response.ok) throw new Error(`Cannot get ${path}: ${response.status}`)
    return response.json()
  }
}
