/** helm for tests of the chart: those of the lab, else the one on the PATH. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { labPrograms } from './kubernetes.ts'

/** By what to call them; none: there is no helm on this machine. */
export function helms(): string[] {
  const ofLab = ['helm3', 'helm4'].map((name) => join(labPrograms, name)).filter((file) => existsSync(file))
  if (ofLab.length > 0) return ofLab
  return spawnSync('helm', ['version'], { stdio: 'ignore' }).status === 0 ? ['helm'] : []
}

/** Why there is none, in a line that says how to get it; undefined: there is. */
export function missingHelm(): string | undefined {
  if (helms().length > 0) return undefined
  return 'helm: it is not there; install it, or get it (node scripts/with-node.mjs scripts/lab/kubernetes.ts install helm)'
}
