/** Reads the lines of an older `flink-conf.yaml`, which is no YAML, and of FLINK_PROPERTIES. */

/** One value of a file. */
export interface Entry {
  key: string
  text: string
  line: number
}

/** Entries of lines `key: value`, where `#` begins a comment. Lines that are none come by themselves, for a warning. */
export function readLines(source: string): { entries: Entry[]; others: number[] } {
  const entries: Entry[] = []
  const others: number[] = []
  for (const [index, whole] of source.split(/\r?\n/).entries()) {
    const text = whole.split('#', 1)[0]!.trim()
    if (text === '' || text === '---') continue
    const [, key, value] = /^([^\s:][^:]*?)\s*:(?:\s+(.*))?$/.exec(text) ?? []
    if (key === undefined) others.push(index + 1)
    else if (value !== undefined) entries.push({ key, text: value.replace(/^(['"])(.*)\1$/, '$2'), line: index + 1 })
  }
  return { entries, others }
}
