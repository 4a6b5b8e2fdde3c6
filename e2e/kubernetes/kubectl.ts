/** kubectl and helm, as a user has them: what they print, and waiting for what they show. They are those on the PATH, and KUBECONFIG says where. */
import { spawn } from 'node:child_process'

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs a program to its end. @param input of its stdin */
export function run(program: string, args: readonly string[], input?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (data) => (stdout += data))
    child.stderr.on('data', (data) => (stderr += data))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(input ?? '')
  })
}

/** The same, for what must succeed; gives what it prints. */
export async function must(program: string, args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, input)
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout
}

/** Part of an object as the API server shows it. */
export interface Shown {
  kind: string
  metadata: {
    name: string
    uid: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    generation?: number
    deletionTimestamp?: string
  }
  spec: any
  status?: any
}

/** Of one namespace. */
export class Kubectl {
  readonly namespace: string

  constructor(namespace: string) {
    this.namespace = namespace
  }

  run(...args: string[]): Promise<string> {
    return must('kubectl', ['-n', this.namespace, ...args])
  }

  apply(...objects: object[]): Promise<string> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects }
    return must('kubectl', ['-n', this.namespace, 'apply', '-f', '-'], JSON.stringify(list))
  }

  async get(kind: string, name: string): Promise<Shown> {
    return JSON.parse(await this.run('get', kind, name, '-o', 'json'))
  }

  async list(kind: string, selector?: string): Promise<Shown[]> {
    const args = selector === undefined ? [] : ['-l', selector]
    return JSON.parse(await this.run('get', kind, '-o', 'json', ...args)).items
  }

  /** `patch` merges: a key with null is taken away. */
  patch(kind: string, name: string, patch: object): Promise<string> {
    return this.run('patch', kind, name, '--type=merge', '-p', JSON.stringify(patch))
  }

  /** What is to be read when a scenario has failed: pods, events, and the last lines of each log. */
  async report(): Promise<string> {
    const parts = [
      await run('kubectl', ['-n', this.namespace, 'get', 'streamdeployments,all,leases', '-o', 'wide']),
      await run('kubectl', ['-n', this.namespace, 'get', 'streamdeployments', '-o', 'yaml']),
      await run('kubectl', ['-n', this.namespace, 'get', 'events', '--sort-by=.lastTimestamp']),
    ]
    for (const pod of await this.list('pods').catch(() => []))
      for (const previous of [[], ['--previous']])
        parts.push(
          await run('kubectl', ['-n', this.namespace, 'logs', pod.metadata.name, '--prefix', '--tail=40', ...previous]),
        )
    return parts.map(({ stdout }) => stdout).join('\n')
  }
}

/** Resolves with the first value of `look` that is not undefined; a throw means not yet. Throws when there is none in time, with the last reason. */
export async function until<T>(what: string, withinMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const untilMs = Date.now() + withinMs
  let reason = ''
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      reason = `: ${(error as Error).message}`
    }
    if (Date.now() > untilMs) throw new Error(`Not within ${withinMs / 1000} s: ${what}${reason}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** For the spec as it is now, where conditions say of which generation they are. */
export const isReady = ({ metadata, status }: Shown): boolean =>
  status?.conditions?.some(
    (one: { type: string; status: string; observedGeneration?: number }) =>
      one.type === 'Ready' &&
      one.status === 'True' &&
      (one.observedGeneration === undefined || one.observedGeneration >= metadata.generation!),
  ) ?? false
