/** Artifacts between processes: the JobManager gives pieces of those that its programs are of; a TaskManager fetches what it does not have, once, and loads its own copy. */
import { open, stat } from 'node:fs/promises'
import type { Artifact, OpenOptions } from '../artifacts/fetch-artifact.ts'
import { TailraceError } from '../core/errors.ts'
import type { ArtifactPiece } from '../jobmanager/task-managers.ts'
import { ARTIFACT_PIECE_BYTES } from '../rpc/messages/fetch-artifact.ts'
import type { ArtifactRef, ProgramRef } from '../rpc/slot-messages.ts'
import type { JobManagerPeer } from '../taskmanager/jobmanager-session.ts'

/** Of the programs that run, by hash. */
export class ShippedArtifacts {
  readonly #files = new Map<string, { path: string; name: string; users: number }>()

  /** What processes elsewhere fetch in the place of `artifact`, until `end`. */
  add(
    { sha256, path, name }: Pick<Artifact, 'sha256' | 'path' | 'name'>,
    entry?: string,
  ): { ref: ArtifactRef; end(): void } {
    const file = this.#files.get(sha256) ?? { path, name, users: 0 }
    file.users++
    this.#files.set(sha256, file)
    let ended = false
    const end = () => {
      if (!ended && --file.users === 0) this.#files.delete(sha256)
      ended = true
    }
    return { ref: { sha256, name, ...(entry === undefined ? {} : { entry }) }, end }
  }

  /** undefined: there is none of this hash. */
  pathOf(sha256: string): string | undefined {
    return this.#files.get(sha256)?.path
  }

  /** Throws TR-ARTIFACT-004 when there is none of this hash. */
  async read(sha256: string, offset: number, length: number): Promise<ArtifactPiece> {
    const found = this.#files.get(sha256)
    if (found === undefined)
      throw new TailraceError('TR-ARTIFACT-004', `Cannot give the artifact ${sha256}: no program that runs is of it`)
    const { size } = await stat(found.path)
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, size - offset)))
    const file = await open(found.path)
    try {
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
      return { bytes: bytes.subarray(0, bytesRead), size, name: found.name }
    } finally {
      await file.close()
    }
  }
}

/** The program with the URL of this process's own copy. Held for as long as the process lives. `options` are asked for when it is an artifact. */
export async function fetchProgram(
  program: ProgramRef,
  peer: JobManagerPeer,
  options: () => Promise<Omit<OpenOptions, 'entry'>>,
): Promise<ProgramRef> {
  if (program.artifact === undefined) return program
  const { addArtifact, cachedArtifact } = await import('../artifacts/fetch-artifact.ts')
  const { sha256, name, entry } = program.artifact
  const opened = { ...(await options()), ...(entry === undefined ? {} : { entry }) }
  const artifact =
    (await cachedArtifact(sha256, name, opened)) ??
    (await addArtifact(pieces(peer, sha256), name, { ...opened, sha256 }))
  return { ...program, url: artifact.moduleUrl }
}

async function* pieces(peer: JobManagerPeer, hash: string): AsyncIterable<Uint8Array> {
  for (let offset = 0; ; ) {
    const piece = await peer.call({ type: 'fetchArtifact', hash, offset, length: ARTIFACT_PIECE_BYTES })
    yield piece.bytes
    offset += piece.bytes.length
    if (offset >= piece.size || piece.bytes.length === 0) return
  }
}
