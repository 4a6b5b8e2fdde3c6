/** A disk of its own that a test can fill: a mounted tmpfs, where the system lets a test mount one, as root on Linux. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'

export interface SmallDisk {
  path: string
  unmount(): void
}

/**
 * undefined where there can be none; says so in a line. With TAILRACE_REQUIRE_ALL=1 it throws instead.
 *
 * @param size as mount takes it: `256k`
 */
export function smallDisk(path: string, size: string, forWhat: string): SmallDisk | undefined {
  mkdirSync(path)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    const text = `${forWhat}: no disk of its own to fill; run as root on Linux`
    if (process.env.TAILRACE_REQUIRE_ALL === '1') throw new Error(text)
    console.log(`${text} (skipped)`)
    return undefined
  }
  return { path, unmount: () => execFileSync('umount', [path]) }
}
