import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { incompatibilities } from '../operator/api/compatible.ts'
import { withFieldTables } from './crd-page.ts'
import { crdFiles, PAGE, releasedName } from './crds.ts'

const root = dirname(import.meta.dirname)
const read = (path: string) => readFileSync(join(root, path), 'utf8')

describe('crds/', () => {
  test('is what the schemas say; else run `npm run crds`', () => {
    for (const [path, content] of Object.entries(crdFiles())) expect(read(path)).toBe(content)
    expect(globSync('crds/*', { cwd: root }).sort()).toEqual([...Object.keys(crdFiles()), 'crds/released'].sort())
  })

  test('takes nothing away from what was released', () => {
    const released = globSync('crds/released/*.yaml', { cwd: root })
    expect(released.length).toBeGreaterThan(0)
    for (const path of released) {
      const now = Object.keys(crdFiles()).find((file) => releasedName(file, '').startsWith(path.split('@')[0]))
      expect(now, `${path} is of a definition that is gone`).toBeDefined()
      expect(incompatibilities(parse(read(path)), parse(crdFiles()[now!])), path).toEqual([])
    }
  })
})

test('the reference page has the fields of the schemas; else run `npm run crds`', () => {
  expect(read(PAGE)).toBe(withFieldTables(read(PAGE)))
})
