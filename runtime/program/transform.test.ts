import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { transform } from './transform.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tailrace-transform-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

describe('transform()', () => {
  it('keeps its result by content and path', () => {
    const code = transform('enum A { X = 7 }\nexport const a = A.X', '/job.ts', dir)
    expect(code).toContain('7')
    expect(transform('enum A { X = 7 }\nexport const a = A.X', '/job.ts', dir)).toBe(code)
    expect(readdirSync(dir)).toHaveLength(1)
    transform('enum A { X = 8 }\nexport const a = A.X', '/job.ts', dir)
    transform('enum A { X = 7 }\nexport const a = A.X', '/other.ts', dir)
    expect(readdirSync(dir)).toHaveLength(3)
  })

  it('takes what is kept', () => {
    transform('export const a: number = 1', '/job.ts', dir)
    const [file] = readdirSync(dir)
    writeFileSync(join(dir, file!), 'kept')
    expect(transform('export const a: number = 1', '/job.ts', dir)).toBe('kept')
  })

  it('works without a place to keep', () => {
    expect(transform('export const a: number = 1', '/job.ts', join(dir, 'nowhere'))).toContain('const a = 1')
  })

  it('keeps no failure', () => {
    expect(() => transform('const = 1', '/job.ts', dir)).toThrow(SyntaxError)
    expect(readdirSync(dir)).toEqual([])
  })
})
