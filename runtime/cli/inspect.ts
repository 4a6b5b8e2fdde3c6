/**
 * `tailrace inspect PATH`: what is in a checkpoint or savepoint. Reads its metadata and nothing else.
 */
import { describeCheckpoint } from '../checkpoint/describe.ts'
import { type OpenStore, openSavepoint } from '../checkpoint/savepoint.ts'
import { errorToData } from '../core/errors.ts'
import { reportCheckpoint } from './checkpoint-report.ts'
import { EXIT } from './exit-codes.ts'
import { reportError } from './report-error.ts'
import type { Terminal } from './terminal.ts'

export interface InspectFlags {
  json: boolean
}

export async function inspect(path: string, flags: InspectFlags, open: OpenStore, terminal: Terminal): Promise<number> {
  const { cwd, out } = terminal
  try {
    const savepoint = await openSavepoint(path, { open, cwd })
    await savepoint.close()
    const inspected = {
      path: savepoint.path,
      metadataBytes: savepoint.metadataBytes,
      committed: savepoint.committed,
      ...describeCheckpoint(savepoint.metadata),
    }
    out(flags.json ? `${JSON.stringify(inspected, null, 2)}\n` : reportCheckpoint(inspected, terminal.outStyle))
    return EXIT.finished
  } catch (error) {
    terminal.error(reportError(errorToData(error), terminal.report))
    return EXIT.failed
  }
}
