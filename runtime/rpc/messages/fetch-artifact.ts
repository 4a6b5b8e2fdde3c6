/** TaskManager to JobManager: a piece of an artifact. Whoever asks goes on at the end of the piece until it has `size` bytes, and compares the hash. An unknown artifact is an error. */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { bytes, count, sha256 } from './parts/numbers.ts'

/** Asked for at a time; well below the smallest `pekko.framesize`'s default. */
export const ARTIFACT_PIECE_BYTES = 2 ** 20

export const fetchArtifact = call(
  'fetchArtifact',
  {
    /** sha256 of its bytes, 64 hex digits. */
    hash: sha256,
    offset: count,
    length: count.min(1).max(8 * ARTIFACT_PIECE_BYTES),
  },
  z.strictObject({
    /** Shorter than asked for at the end only. */
    bytes,
    /** Of the artifact. */
    size: count,
    /** As it was given: its ending says what it is. */
    name: z.string().max(1_024),
  }),
)
