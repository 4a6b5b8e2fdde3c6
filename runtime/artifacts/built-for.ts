/**
 * The record that `tailrace build` leaves in an artifact, and whether this version runs what was built for another.
 *
 * In a module it is the first line, a comment that begins with `/*! tailrace {`; in a package the `tailrace` of its package.json.
 */
import { open } from 'node:fs/promises'
import { TailraceError } from '../core/errors.ts'

export interface BuildRecord {
  /** Version of Tailrace. */
  builtFor: string
  /** The file that it was built of, or, in a package, the module to run. */
  entry: string
}

const HEAD = /^\/\*! tailrace (\{[^\n]*\}) \*\/$/
const HEAD_BYTES_MAX = 4096

export function recordLine(record: BuildRecord): string {
  return `/*! tailrace ${JSON.stringify({ builtFor: record.builtFor, entry: record.entry }).replaceAll('*/', '*\\/')} */`
}

/** Of a module's file; undefined: it was not built with `tailrace build`. */
export async function recordOf(path: string): Promise<BuildRecord | undefined> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES_MAX), 0, HEAD_BYTES_MAX, 0)
    const [, json] = HEAD.exec(buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0]!) ?? []
    return json === undefined ? undefined : (JSON.parse(json) as BuildRecord)
  } catch {
    return undefined
  } finally {
    await file.close()
  }
}

/**
 * By semantic versions: the same major version runs, and before 1.0.0 the same minor version. A version that is older than the artifact wants runs it too,
 * with a warning, as it may lack what the job uses.
 *
 * Throws TR-ARTIFACT-009.
 *
 * @returns a warning, if there is one
 */
export function checkBuiltFor(shown: string, builtFor: string, running: string): string | undefined {
  const wanted = partsOf(builtFor)
  const have = partsOf(running)
  if (wanted === undefined || have === undefined)
    throw refused(shown, `"${builtFor}", which is no version`, `a version such as ${running}`)
  const [major, minor, patch] = wanted
  const breaks = major !== have[0] || (major === 0 && minor !== have[1])
  if (breaks) throw refused(shown, builtFor, `${running}: build it again with that version`)
  const older = have[1] < minor || (have[1] === minor && have[2] < patch)
  return older
    ? `${shown} was built for Tailrace ${builtFor} and runs on ${running}, which is older: it may lack what the job uses`
    : undefined
}

function partsOf(version: string): [number, number, number] | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/.exec(version)
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])]
}

function refused(shown: string, found: string, wanted: string): TailraceError {
  return new TailraceError(
    'TR-ARTIFACT-009',
    `Cannot run ${shown}: it was built for Tailrace ${found}, wanted: ${wanted}`,
  )
}
