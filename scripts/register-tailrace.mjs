/**
 * Makes `tailrace` and its doors mean this checkout's sources: `node --import ./scripts/register-tailrace.mjs job.ts`.
 *
 * Without it a package's reference to itself goes through `exports` to dist/, which may be old or missing, and a second
 * copy of the library would run beside the sources. The doors are read from package.json, so there is no list to keep.
 * Plain JavaScript, as `--import` runs it in every process and worker thread before anything else.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const root = new URL('../', import.meta.url)
const { name, exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

/** Specifier to the URL of its source: `tailrace/state` to `file:///.../runtime/state/index.ts`. */
const doors = new Map()
for (const [door, target] of Object.entries(exports)) {
  if (typeof target === 'string') continue
  doors.set(
    name + door.slice(1),
    new URL(target.default.replace(/^\.\/dist\//, './').replace(/\.js$/, '.ts'), root).href,
  )
}

registerHooks({
  resolve(specifier, context, next) {
    const url = doors.get(specifier)
    return url === undefined ? next(specifier, context) : { url, format: 'module-typescript', shortCircuit: true }
  },
})
