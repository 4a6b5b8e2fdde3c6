/** Loaded ahead of a process (NODE_OPTIONS): it believes that it is of another version of Tailrace. */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const { readFileSync } = fs
const manifest = new URL('../../package.json', import.meta.url).href
fs.readFileSync = (path, ...rest) => {
  const text = readFileSync(path, ...rest)
  if (String(path) !== manifest) return text
  return JSON.stringify({ ...JSON.parse(text), version: '0.0.9' })
}
syncBuiltinESMExports()
