/** Archives for tests, with whatever is in them, also what no tool would write. */
import { gzipSync } from 'node:zlib'
import { Header } from 'tar'

export interface TarEntry {
  path: string
  text?: string
  type?: 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'FIFO'
  linkpath?: string
  mode?: number
}

/** A `.tgz` of entries in this order. */
export function tgz(...entries: TarEntry[]): Buffer {
  return gzipSync(tarOf(entries))
}

export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, text = '', type = 'File', linkpath, mode = 0o644 }) => {
    const body = Buffer.from(text)
    const header = new Header({
      path,
      type,
      mode,
      size: body.length,
      mtime: new Date(0),
      ...(linkpath === undefined ? {} : { linkpath }),
    })
    header.encode()
    const padding = Buffer.alloc((512 - (body.length % 512)) % 512)
    return [header.block!, body, padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export async function* chunksOf(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}
