/**
 * Writes the tables of properties of docs/connectors/kafka.md from the one that the connector reads; docs-tables.test.ts holds the page to it.
 *
 *     node scripts/kafka-properties.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PROPERTIES, type Property, WITHOUT_MEANING } from '../runtime/connectors/kafka/properties.ts'

const PAGE = join(dirname(import.meta.dirname), 'docs/connectors/kafka.md')
const MARK = '<!-- made by scripts/kafka-properties.ts -->\n'

const TITLES = { both: 'Of both', source: 'Of the source', sink: 'Of the sink' } as const

/** What stands below the mark. */
export function propertyTables(): string {
  const parts = (['both', 'source', 'sink'] as const).map((of) => {
    const rows = (Object.entries(PROPERTIES) as [string, Property][])
      .filter(([, property]) => property.of === of)
      .map(
        ([name, { standard, text }]) =>
          `| \`${name}\` | ${standard === undefined ? '' : `\`${standard}\``} | ${text} |`,
      )
    return `### ${TITLES[of]}\n\n| property | standard | |\n|---|---|---|\n${rows.join('\n')}\n`
  })
  const byReason = Map.groupBy(Object.keys(WITHOUT_MEANING), (name) => WITHOUT_MEANING[name])
  const rows = [...byReason].map(([why, names]) => `| ${names.map((name) => `\`${name}\``).join(', ')} | ${why} |`)
  return `\n${parts.join('\n')}\n### Without meaning here\n\nJava's clients know them; they are accepted and change nothing.\n\n| property | why |\n|---|---|\n${rows.join('\n')}\n`
}

/** A page with the tables as they should be. */
export function withTables(page: string): string {
  const at = page.indexOf(MARK)
  if (at < 0) throw new Error(`Cannot write the tables of properties: the page has no line ${MARK}`)
  return page.slice(0, at + MARK.length) + propertyTables()
}

if (import.meta.main) writeFileSync(PAGE, withTables(readFileSync(PAGE, 'utf8')))
