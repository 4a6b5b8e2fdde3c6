/**
 * Archives of the cache, unpacked: `<sha256>.d/files/` has what was in it, `<sha256>.d/hashes.json` what its files must be.
 *
 * What must hold: the directory has its name when it is whole; its files have their hashes when it is taken.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArtifactCache, Cached } from './cache.ts'
import { hashFile, unusable } from './cache.ts'
import { type Unpacked, type UnpackLimits, unpack } from './unpack.ts'

/**
 * The directory with the files of an archive that is held. Throws what {@link unpack} throws, and TR-ARTIFACT-012.
 *
 * @param shown of the archive, for messages
 */
export async function unpacked(
  cache: ArtifactCache,
  archive: Cached,
  shown: string,
  limits: UnpackLimits,
): Promise<string> {
  const dir = join(cache.dir, `${archive.sha256}.d`)
  const files = join(dir, 'files')
  if (await isWhole(dir)) return files
  const aside = join(cache.dir, `.new-${randomUUID()}`)
  try {
    await ours(cache.dir, mkdir(join(aside, 'files'), { recursive: true, mode: 0o700 }))
    const hashes = await unpack(archive.path, join(aside, 'files'), shown, limits)
    await ours(cache.dir, writeFile(join(aside, 'hashes.json'), JSON.stringify(hashes)))
    // One that was damaged gives way; one that somebody else has made in the meantime is as good.
    if (!(await isWhole(dir))) {
      await rename(dir, `${aside}-old`).catch(() => {})
      await rename(aside, dir).catch(async (error) => {
        if (!(await isWhole(dir))) throw unusable(cache.dir, error)
      })
    }
    return files
  } finally {
    await rm(aside, { recursive: true, force: true })
    await rm(`${aside}-old`, { recursive: true, force: true })
  }
}

async function isWhole(dir: string): Promise<boolean> {
  try {
    const hashes = JSON.parse(await readFile(join(dir, 'hashes.json'), 'utf8')) as Unpacked
    for (const [path, sha256] of Object.entries(hashes))
      if ((await hashFile(join(dir, 'files', path))).sha256 !== sha256) return false
    return true
  } catch {
    return false
  }
}

const ours = <T>(dir: string, work: Promise<T>) =>
  work.catch((cause) => {
    throw unusable(dir, cause)
  })
