/**
 * Writes a `.tgz` whose bytes depend on the files in it alone: their order is that of their names, they have no times and no owners, and modes are 644 or 755.
 */

import { createGzip } from 'node:zlib'
import { Header, Pax } from 'tar'

export interface PackedFile {
  /** With slashes, relative. */
  path: string
  executable: boolean
  read(): Uint8Array
}

const BLOCK = 512
/** In gzip's header. */
const OS_BYTE = 9

/** The bytes of the archive, as they are made. */
export async function* pack(files: readonly PackedFile[]): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: 9 })
  const write = (chunk: Uint8Array) =>
    new Promise<void>((resolve, reject) => gzip.write(chunk, (error) => (error ? reject(error) : resolve())))
  const feeding = (async () => {
    for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
      const bytes = file.read()
      await write(headerOf(file, bytes.length))
      if (bytes.length > 0) await write(bytes)
      const rest = bytes.length % BLOCK
      if (rest > 0) await write(new Uint8Array(BLOCK - rest))
    }
    await write(new Uint8Array(2 * BLOCK))
    gzip.end()
  })()
  feeding.catch((error) => gzip.destroy(error))
  let first = true
  for await (const chunk of gzip as AsyncIterable<Buffer>) {
    // The system that it was made on is unknown.
    if (first) chunk[OS_BYTE] = 255
    first = false
    yield chunk
  }
  await feeding
}

function headerOf({ path, executable }: PackedFile, size: number): Uint8Array {
  const mode = executable ? 0o755 : 0o644
  const fields = { path, size, mode, uid: 0, gid: 0, mtime: new Date(0), type: 'File' as const }
  const header = new Header(fields)
  // What does not fit, such as a long path, goes before it.
  if (!header.encode()) return header.block!
  return Buffer.concat([new Pax({ path, size }, false).encode(), header.block!])
}
