/**
 * Programs of a session cluster, where another leader may have to go on with them: each is kept with the bytes of its artifact until it has ended, and run again by whoever leads then.
 */
import { randomBytes } from 'node:crypto'
import { addArtifact, type OpenOptions } from '../artifacts/fetch-artifact.ts'
import { errorToData } from '../core/errors.ts'
import type { Dispatcher } from '../jobmanager/dispatcher.ts'
import type { ProgramSession } from '../jobmanager/program-session.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { JobManager, Watch } from './jobmanager-process.ts'
import type { ShippedArtifacts } from './shipped-artifacts.ts'

export interface SessionProgramsOptions {
  cluster: JobManager
  shipped: ShippedArtifacts
  /** For artifacts that an earlier leader has stored. */
  artifacts(): Promise<Omit<OpenOptions, 'entry'>>
  /** Programs that have ended and stay known. */
  historyMax: number
  /** A line of the log. */
  log(text: string): void
}

export class SessionPrograms {
  readonly #options: SessionProgramsOptions

  constructor(options: SessionProgramsOptions) {
    this.#options = options
  }

  get dispatcher(): Dispatcher {
    return this.#options.cluster.dispatcher
  }

  /** Runs a program that was submitted now. */
  async run(program: ProgramRef, watch: Watch = {}): Promise<ProgramSession> {
    const { cluster, shipped } = this.#options
    const programId = randomBytes(16).toString('hex')
    const artifact = program.artifact && shipped.pathOf(program.artifact.sha256)
    return this.#watch(programId, await cluster.runKept(programId, program, { ...watch, artifact }))
  }

  /** Runs what earlier leaders have left. One that cannot be run is told of, and stays for the next leader. */
  async goOn(): Promise<void> {
    const { cluster, log } = this.#options
    for (const { programId } of cluster.programs?.toRun() ?? []) {
      try {
        const { program, end } = await this.#local(await cluster.programs!.program(programId))
        const session = this.#watch(programId, await cluster.runKept(programId, program))
        void session.ended.then(end)
        log(`Goes on with the program ${programId} (${program.artifact?.name ?? program.url})`)
      } catch (error) {
        const { code, message } = errorToData(error)
        log(`Cannot go on with the program ${programId}: ${code} ${message}`)
      }
    }
  }

  /** As this process can load it; `end` when nobody needs the artifact any more. */
  async #local(program: ProgramRef): Promise<{ program: ProgramRef; end(): void }> {
    if (program.artifact === undefined) return { program, end: () => {} }
    const { cluster, shipped, artifacts } = this.#options
    const { sha256, name, entry } = program.artifact
    const opened = { ...(await artifacts()), sha256, ...(entry === undefined ? {} : { entry }) }
    const artifact = await addArtifact(piece(await cluster.programs!.readArtifact(sha256)), name, opened)
    const { ref, end } = shipped.add(artifact, entry)
    return {
      program: { ...program, url: artifact.moduleUrl, artifact: ref },
      end: () => {
        end()
        void artifact.release()
      },
    }
  }

  #watch(programId: string, session: ProgramSession): ProgramSession {
    const { programs } = this.#options.cluster
    void session.ended.then(() => programs?.drop(programId, this.#options.historyMax))
    return session
  }
}

async function* piece(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}
