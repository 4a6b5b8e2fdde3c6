/**
 * Writes the tables of docs/configuration.md from the catalogue of configuration keys; docs-tables.test.ts holds the page to it.
 *
 *     node scripts/config-options.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Option } from '../runtime/config/option.ts'
import { GROUPS } from '../runtime/config/options.ts'
import { PENDING } from '../runtime/config/pending.ts'
import { REFUSED } from '../runtime/config/refused.ts'
import { WITHOUT_EFFECT } from '../runtime/config/without-effect.ts'

const PAGE = join(dirname(import.meta.dirname), 'docs/configuration.md')
const MARK = '<!-- made by scripts/config-options.ts -->\n'

const HEAD = '| key | type | default | |\n|---|---|---|---|\n'

function row({ key, older, fallback, type, standard, unset, text }: Option<unknown>): string {
  const names = older.length === 0 ? '' : `<br>older: ${older.map((name) => `\`${name}\``).join(', ')}`
  const others = fallback.length === 0 ? '' : `<br>else: ${fallback.map((name) => `\`${name}\``).join(', ')}`
  const words = type.words === undefined ? type.name : type.words.map((word) => `\`${word}\``).join(', ')
  return `| \`${key}\`${names}${others} | ${words} | ${standard === undefined ? (unset ?? '') : `\`${standard}\``} | ${text} |\n`
}

function groups(pending: boolean): string {
  return GROUPS.map(({ title, options }) => {
    const shown = Object.values(options).filter(({ key }) => PENDING.has(key) === pending)
    return shown.length === 0 ? '' : `### ${title}${pending ? ', not yet' : ''}\n\n${HEAD}${shown.map(row).join('')}\n`
  }).join('')
}

/** What stands below the mark. */
export function optionTables(): string {
  const pending =
    PENDING.size === 0
      ? ''
      : `## Keys that have no effect yet\n\nThey are known and held to their types, and each use of one is told.\n\n${groups(true)}`
  const refused = Object.entries(REFUSED).map(
    ([key, { harmless, why }]) => `| \`${key}\` | ${harmless.map((one) => `\`${one}\``).join(', ')} | ${why} |\n`,
  )
  const byReason = Map.groupBy(WITHOUT_EFFECT, ({ why }) => why)
  const without = [...byReason].map(([why, entries]) => {
    const keys = entries.flatMap(({ keys }) => keys).map((key) => `\`${key}\``)
    return `| ${keys.join(', ')} | ${why} |\n`
  })
  return `
## Keys that have an effect

${groups(false)}${pending}## Keys that are refused

What they ask for cannot be had, and to go on without it would be dangerous.

| key | taken | why |
|---|---|---|
${refused.join('')}
## Keys without effect

Flink knows them; they are accepted here and change nothing. A \`*\` stands for whatever follows.

| keys | what happens instead |
|---|---|
${without.join('')}`
}

/** A page with the tables as they should be. */
export function withOptionTables(page: string): string {
  const at = page.indexOf(MARK)
  if (at < 0) throw new Error(`Cannot write the tables of keys: the page has no line ${MARK}`)
  return page.slice(0, at + MARK.length) + optionTables()
}

if (import.meta.main) writeFileSync(PAGE, withOptionTables(readFileSync(PAGE, 'utf8')))
