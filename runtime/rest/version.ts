/** The version of Tailrace, from the package.json above this file: in a checkout and in the built package alike. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export function packageVersion(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) return String(JSON.parse(readFileSync(path, 'utf8')).version)
    if (folder === dirname(folder)) return 'unknown'
  }
}
