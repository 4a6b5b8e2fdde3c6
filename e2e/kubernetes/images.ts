/** Builds the images of the scenarios in the lab: Tailrace's own, and images on top of it as users make them: two versions of the scenarios' job, and the job of the quickstart. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildImage, packageVersion } from '../../scripts/lab/kubernetes.ts'
import { fileOf, QUICKSTART } from './quickstart-page.ts'
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
  const job = (name: string) => join(import.meta.dirname, 'job', name)
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-e2e-'))
  try {
    const shown = join(folder, 'job.ts')
    writeFileSync(shown, fileOf(QUICKSTART, 'job.ts'))
    for (const [image, source] of [
      [images.job, job('totals.ts')],
      [images.changed, job('totals-changed.ts')],
      ['totals:1', shown],
      ['totals:2', shown],
    ] as const) {
      const context = mkdtempSync(join(folder, 'image-'))
      buildJob(source, join(context, 'job.mjs'))
      const lines = [`FROM docker.io/library/${images.tailrace}`, 'COPY job.mjs /opt/tailrace/usrlib/job.mjs', '']
      writeFileSync(join(context, 'Dockerfile'), lines.join('\n'))
      files.push(buildImage(context, image))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return { images, files }
}

/** `build` runs `main` too, and the job asks for brokers, whichever they are. */
function buildJob(from: string, to: string): void {
  const args = [join(root, 'scripts/with-node.mjs'), 'runtime/cli/main.ts', 'build', from, '-o', to]
  const env = { ...process.env, KAFKA_BOOTSTRAP_SERVERS: 'kafka:9092' }
  const built = spawnSync(process.execPath, [...args, '--', '--in', 'in', '--out', 'out'], {
    cwd: root,
    env,
    encoding: 'utf8',
  })
  if (built.status !== 0) throw new Error(`Cannot build ${from}:\n${built.stdout}${built.stderr}`)
}
