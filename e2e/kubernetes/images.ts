/** Builds the images of the scenarios in the lab: Tailrace's own, and two on top of it as users make them, each with a version of the job. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildImage, packageVersion } from '../../scripts/lab/kubernetes.ts'
import type { Images } from './world.ts'

const root = dirname(dirname(import.meta.dirname))

/** `files`: their archives. */
export function buildImages(): { images: Images; files: string[] } {
  const images = {
    tailrace: `tailrace:${packageVersion()}`,
    job: 'tailrace-e2e:1',
    changed: 'tailrace-e2e:2',
  }
  const files = [buildImage(root, images.tailrace)]
  for (const [image, job] of [
    [images.job, 'totals'],
    [images.changed, 'totals-changed'],
  ] as const) {
    const context = mkdtempSync(join(tmpdir(), 'tailrace-e2e-'))
    try {
      buildJob(join(import.meta.dirname, 'job', `${job}.ts`), join(context, 'job.mjs'))
      writeFileSync(
        join(context, 'Dockerfile'),
        `FROM docker.io/library/${images.tailrace}\nCOPY job.mjs /opt/tailrace/usrlib/job.mjs\n`,
      )
      files.push(buildImage(context, image))
    } finally {
      rmSync(context, { recursive: true, force: true })
    }
  }
  return { images, files }
}

function buildJob(from: string, to: string): void {
  const args = [join(root, 'scripts/with-node.mjs'), 'runtime/cli/main.ts', 'build', from, '-o', to]
  const built = spawnSync(process.execPath, [...args, '--', '--in', 'in', '--out', 'out'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (built.status !== 0) throw new Error(`Cannot build ${from}:\n${built.stdout}${built.stderr}`)
}
