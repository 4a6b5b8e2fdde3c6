import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { userFrame } from '../core/user-frame.ts'
import { TailraceError } from '../index.ts'
import { installHooks, isUserFile } from './hooks.ts'

const dir = mkdtempSync(join(tmpdir(), 'tailrace-hooks-'))
beforeAll(() => installHooks())
afterAll(() => rmSync(dir, { recursive: true }))

function write(path: string, text: string): string {
  const file = join(dir, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return pathToFileURL(file).href
}

describe('modules of a user', () => {
  it('may hold enums, parameter properties and decorators', async () => {
    const url = write(
      'syntax/job.ts',
      `enum Color { Red = 'red', Blue = 'blue' }
       function twice(method: any, _context: unknown) { return function (this: any) { return method.call(this) * 2 } }
       export class Box {
         constructor(readonly size: number) {}
         @twice area(): number { return this.size * this.size }
       }
       export const value = [Color.Red, new Box(3).area()]`,
    )
    expect((await import(url)).value).toEqual(['red', 18])
  })

  it('may hold legacy decorators where tsconfig.json says so', async () => {
    write('legacy/tsconfig.json', '{ /* ours */ "compilerOptions": { "experimentalDecorators": true } }')
    const url = write(
      'legacy/job.ts',
      `const seen: string[] = []
       function note(_target: object, name: string) { seen.push(name) }
       export class Job { @note field = 1 }
       export { seen }`,
    )
    expect((await import(url)).seen).toEqual(['field'])
  })

  it('may leave out extensions, say .js for .ts, and import folders', async () => {
    write('spelled/plain.ts', 'export const plain = 1')
    write('spelled/built.ts', 'export const built = 2')
    write('spelled/folder/index.ts', 'export const folder = 3')
    write('spelled/script.mts', 'export const script = 4')
    const url = write(
      'spelled/job.ts',
      `import { plain } from './plain'
       import { built } from './built.js'
       import { folder } from './folder'
       import { script } from './script'
       export const sum = [plain, built, folder, script]`,
    )
    expect((await import(url)).sum).toEqual([1, 2, 3, 4])
  })

  it('are ES modules whatever package.json says', async () => {
    write('commonjs/package.json', '{ "type": "commonjs" }')
    const url = write('commonjs/job.ts', 'export const here = import.meta.url.endsWith("job.ts")')
    expect((await import(url)).here).toBe(true)
  })

  it('get the running copy of the library', async () => {
    const url = write(
      'copy/job.ts',
      `export { TailraceError } from 'tailrace'\nexport { ManualClock } from 'tailrace/testing'`,
    )
    const job = await import(url)
    expect(job.TailraceError).toBe(TailraceError)
    expect(job.ManualClock).toBe(ManualClock)
  })

  it('get it also where a package brings a copy of its own, and however it is asked for', async () => {
    const own = JSON.stringify({
      name: 'tailrace',
      version: '9.9.9',
      exports: { '.': './i.js', './next': './n.js', './package.json': './package.json' },
    })
    for (const at of ['packed/node_modules/tailrace', 'packed/node_modules/dep/node_modules/tailrace']) {
      write(`${at}/package.json`, own)
      write(`${at}/i.js`, 'export class TailraceError {}')
      write(`${at}/n.js`, 'export const next = 1')
    }
    write(
      'packed/node_modules/dep/package.json',
      '{ "name": "dep", "exports": { "import": "./m.mjs", "require": "./c.cjs" } }',
    )
    write('packed/node_modules/dep/m.mjs', `export { TailraceError } from 'tailrace'`)
    write('packed/node_modules/dep/c.cjs', `exports.TailraceError = require('tailrace').TailraceError`)
    write('packed/node_modules/dep/next.mjs', `import 'tailrace/next'`)
    const url = write(
      'packed/job.ts',
      `import { createRequire } from 'node:module'
       import { TailraceError as direct } from 'tailrace'
       import { TailraceError as ofModule } from 'dep'
       import manifest from 'tailrace/package.json' with { type: 'json' }
       const require = createRequire(import.meta.url)
       export const errors = [direct, ofModule, require('dep').TailraceError, (await import('tailrace')).TailraceError]
       export const version = manifest.version`,
    )
    const job = await import(url)
    expect(job.errors).toEqual([TailraceError, TailraceError, TailraceError, TailraceError])
    // Data, and of whoever asks.
    expect(job.version).toBe('9.9.9')
    await expect(import(new URL('node_modules/dep/next.mjs', url).href)).rejects.toMatchObject({
      code: 'TR-ARTIFACT-009',
      message: expect.stringMatching(/^Cannot import "tailrace\/next" in ".*next\.mjs": Tailrace .* has no such part/),
    })
  })

  it('throw errors with their own lines', async () => {
    const url = write(
      'lines/job.ts',
      `enum A { X }

export interface Long { of: 'text that is gone at run time' }
export function fail(): never {
  throw new Error('at line 5' + A.X)
}`,
    )
    const { fail } = await import(url)
    let thrown: unknown
    try {
      fail()
    } catch (error) {
      thrown = error
    }
    expect(userFrame((thrown as Error).stack)).toEqual({ file: join(dir, 'lines/job.ts'), line: 5, column: 9 })
  })

  it('that cannot be parsed fail with their line', async () => {
    const url = write('broken/job.ts', 'export const a = 1\nexport const b = ;\n')
    const error = await import(url).catch((e) => e)
    expect(error.message).toBe('Unexpected ";"')
    expect(userFrame(error.stack)).toMatchObject({ file: join(dir, 'broken/job.ts'), line: 2 })
  })

  it('that are missing fail as Node says', async () => {
    const url = write('missing/job.ts', `import './nowhere'`)
    await expect(import(url)).rejects.toMatchObject({ code: 'ERR_MODULE_NOT_FOUND' })
  })
})

describe('isUserFile()', () => {
  it.each([
    ['file:///home/ann/job.ts', true],
    ['file:///home/ann/node_modules/lib/index.js', false],
    [import.meta.url, false],
    ['node:fs', false],
    [undefined, false],
  ])('%s is %s', (url, is) => {
    expect(isUserFile(url)).toBe(is)
  })
})
