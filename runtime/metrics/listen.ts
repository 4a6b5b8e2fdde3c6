/** Listening on the first free port of a range, as Flink's port options allow: `8081`, `9250-9260`, `9250,9300-9310`. */
import { TailraceError } from '../core/errors.ts'

/** The ports that a text names, in order. 0 lets the system choose. */
export function parsePorts(text: string | number): number[] {
  const ports: number[] = []
  for (const part of String(text).split(',')) {
    const found = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part)
    const from = Number(found?.[1])
    const to = Number(found?.[2] ?? found?.[1])
    if (found === null || to > 65535 || from > to) {
      throw new TailraceError(
        'TR-CONFIG-001',
        `Cannot use the port "${text}": wanted a number up to 65535 or a range such as 9250-9260`,
      )
    }
    for (let port = from; port <= to; port++) ports.push(port)
  }
  return ports
}

/**
 * Calls `listen` with one port after the other until it finds one that is not taken.
 *
 * @param what who wants to listen and how to give it another port, for the error: `the Web UI (--port)`
 */
export async function listenOnFirst<T>(
  ports: string | number,
  what: string,
  listen: (port: number) => Promise<T>,
): Promise<T> {
  let cause: unknown
  for (const port of parsePorts(ports)) {
    try {
      return await listen(port)
    } catch (error) {
      cause = error
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') break
    }
  }
  const taken = (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const why = taken ? 'another process listens there' : String((cause as Error).message)
  throw new TailraceError(
    'TR-CLUSTER-003',
    `Cannot listen on port ${ports} for ${what}: ${why}, wanted a free port or a range such as 9250-9260`,
    { cause },
  )
}
