/** What docs/quickstart-kubernetes.md tells to run, and the job that it shows. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const QUICKSTART = readFileSync(join(import.meta.dirname, '../../docs/quickstart-kubernetes.md'), 'utf8')

const BLOCK = /^(<!-- ([\w .-]+) -->\n\n)?```(\w+)\n([\s\S]*?)^```$/gm

/** Its `sh` blocks in their order, without those that are said to be given. */
export function commandsOf(page: string): string[] {
  const blocks = [...page.matchAll(BLOCK)].filter(([, , mark, language]) => language === 'sh' && mark !== 'given')
  return blocks.map(([, , , , text]) => text!)
}

/** The block that is said to be a file. */
export function fileOf(page: string, name: string): string {
  const block = [...page.matchAll(BLOCK)].find(([, , mark]) => mark === `file ${name}`)
  if (block === undefined) throw new Error(`The page has no block behind <!-- file ${name} -->`)
  return block[4]!
}
