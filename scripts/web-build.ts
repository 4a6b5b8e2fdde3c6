/**
 * Builds the Web UI's page, runtime/web/ to runtime/web/dist/, with Vite.
 *
 * `--if-stale` builds only when a source is newer than the page; `npm start`, the tests and the build ask that way, so a clone
 * has a page without asking for one. A checkout without runtime/web/index.html has no page, which is not an error.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const web = join(root, 'runtime/web')

/** Returns whether there is a page now; ends the process if it cannot be built. */
export function buildWeb({ ifStale }: { ifStale: boolean }): boolean {
  if (!existsSync(join(web, 'index.html'))) return false
  if (ifStale && !isStale()) return true
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  const built = spawnSync(process.execPath, [vite, 'build', web, '--logLevel', 'warn'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (built.status !== 0) process.exit(built.status ?? 1)
  return true
}

function isStale(): boolean {
  const page = statSync(join(web, 'dist/index.html'), { throwIfNoEntry: false })
  if (!page) return true
  const sources = globSync(['runtime/web/**/*', 'runtime/rest/**/*.ts', 'package-lock.json'], {
    cwd: root,
    exclude: ['runtime/web/dist', 'runtime/web/dist/**'],
  })
  return sources.some((path) => statSync(join(root, path)).mtimeMs > page.mtimeMs)
}

if (import.meta.main) {
  if (!buildWeb({ ifStale: process.argv.includes('--if-stale') }) && !process.argv.includes('--if-stale')) {
    console.error('Cannot build the page: runtime/web/index.html is missing')
    process.exitCode = 1
  }
}
