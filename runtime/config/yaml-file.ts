/**
 * Reads a `config.yaml`: YAML 1.2, nested, flat or mixed. What comes out is flat, with the line of each value.
 *
 * Values stay the texts that the file has: `1.0` is not 1. Lists and maps become one text (lists.ts).
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import { TailraceError } from '../core/errors.ts'
import type { Entry } from './line-file.ts'
import { joinEscaped, joinPairs } from './lists.ts'

/** More of either is no configuration, but something that grows without end. */
const DEPTH_MAX = 32
const ENTRIES_MAX = 10_000

/**
 * Entries of a `config.yaml` in their order. `isMapKey` tells the keys whose nested value is one map. Throws TR-CONFIG-002 when it is no YAML, or no mapping of texts.
 *
 * @example
 * readYaml('a.yaml', 'state:\n  checkpoints.dir: /data', () => false) // [{ key: 'state.checkpoints.dir', text: '/data', line: 2 }]
 */
export function readYaml(file: string, source: string, isMapKey: (key: string) => boolean): Entry[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(source, {
    lineCounter: lines,
    version: '1.2',
    uniqueKeys: true,
    logLevel: 'error',
  })
  if (!Array.isArray(documents)) return []
  const refused = (line: number, what: string) =>
    new TailraceError('TR-CONFIG-002', `Cannot read ${file}:${line}: ${what}`)
  const [document, second] = documents
  const [error] = document?.errors ?? []
  if (error !== undefined)
    throw refused(
      lines.linePos(error.pos[0]).line,
      `it is no YAML: ${error.message.split('\n')[0]!.replace(/ at line \d+.*$/, '')}`,
    )
  if (second !== undefined)
    throw refused(lines.linePos(second.range[0]).line, 'a second document begins, one is wanted')
  const lineOf = (node: Node) => lines.linePos(node.range?.[0] ?? 0).line
  const entries: Entry[] = []

  const target = (node: unknown): Node | null => {
    if (!isAlias(node)) return node as Node | null
    const found = node.resolve(document!)
    if (found === undefined) throw refused(lineOf(node), `*${node.source} has no anchor`)
    return found as Node
  }
  const walk = (path: string, given: unknown, line: number, depth: number): void => {
    const node = target(given)
    if (node === null || (isScalar(node) && node.value === null)) return
    if (depth > DEPTH_MAX || entries.length > ENTRIES_MAX)
      throw refused(line, `it has more than ${ENTRIES_MAX} values, or ${DEPTH_MAX} levels`)
    if (isMap(node) && !isMapKey(path)) {
      for (const { key, value } of node.items) {
        if (!isScalar(key)) throw refused(line, 'a key is no text')
        const name = textOf(key)
        if (name === '<<') throw refused(lineOf(key), '<< is not understood; write out what it stands for')
        walk(path === '' ? name : `${path}.${name}`, value, lineOf(key), depth + 1)
      }
    } else entries.push({ key: path, text: valueText(node, line), line })
  }
  const valueText = (node: Node, line: number): string => {
    if (isScalar(node)) return textOf(node)
    const plain = (one: unknown): string => {
      const item = target(one)
      if (item === null) return ''
      if (isScalar(item)) return textOf(item)
      if (isMap(item)) return mapText(item)
      throw refused(line, 'a list lies in a list, texts are wanted')
    }
    const mapText = (map: YAMLMap) => joinPairs(map.items.map(({ key, value }) => [plain(key), plain(value)] as const))
    return isMap(node) ? mapText(node) : isSeq(node) ? joinEscaped(node.items.map(plain), ';') : ''
  }
  const root = target(document?.contents ?? null)
  if (root !== null && !isMap(root)) {
    if (isScalar(root) && root.value === null) return []
    throw refused(lineOf(root), 'it is no mapping; lines such as "parallelism.default: 4" are wanted')
  }
  walk('', root, 1, 0)
  return entries
}

/** As the file has it, so that 1.0 and 007 stay what they are. */
function textOf({ value, source, type }: Scalar): string {
  return type === 'PLAIN' && source !== undefined ? source : String(value)
}
