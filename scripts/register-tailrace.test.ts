/** What vitest.config.ts and register-tailrace.mjs promise to every test: files run as Node runs them in production. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, test } from 'vitest'

const dir = mkdtempSync(join(tmpdir(), 'tailrace-native-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Writes a module, so that it is not one that this test file was loaded with. */
function module(name: string, source: string): URL {
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(dir, name), source)
  return pathToFileURL(join(dir, name))
}

test('the doors of the package are the sources of this checkout', () => {
  expect(import.meta.resolve('tailrace')).toBe(new URL('../runtime/index.ts', import.meta.url).href)
  expect(import.meta.resolve('tailrace/connectors/files')).toMatch(/runtime\/connectors\/files\/index\.ts$/)
})

test('sources are not transformed: a function reads as it was written, types blanked', async () => {
  const url = module('source.ts', 'export function twice(x: number): number { return x * 2 }\n')
  const { twice } = await import(url.href)
  expect(String(twice)).toBe('function twice(x        )         { return x * 2 }')
})

test('a query makes a copy of a module with its own variables', async () => {
  const url = module('count.ts', 'let n: number = 0\nexport const next = (): number => ++n\n')
  const [a, b] = await Promise.all([import(`${url}?n=1`), import(`${url}?n=2`)])
  expect([a.next(), a.next(), b.next()]).toEqual([1, 2, 1])
})

test('worker threads run sources, their copies and the doors', async () => {
  module('copy.ts', 'export const url: string = import.meta.url\n')
  const url = module(
    'worker.ts',
    `import { parentPort } from 'node:worker_threads'
     const { url } = (await import('./copy.ts?n=7' as string)) as { url: string }
     parentPort!.postMessage({ url, door: import.meta.resolve('tailrace/state') })`,
  )
  const worker = new Worker(url)
  const [message] = await once(worker, 'message')
  await worker.terminate()
  expect(message.url).toMatch(/copy\.ts\?n=7$/)
  expect(message.door).toMatch(/runtime\/state\/index\.ts$/)
})
