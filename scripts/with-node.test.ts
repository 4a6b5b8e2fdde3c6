import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('with-node.mjs leaves a linked node_modules alone, whatever the lock asks for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-with-node-'))
  const checkout = join(folder, 'checkout')
  mkdirSync(join(checkout, 'scripts'), { recursive: true })
  mkdirSync(join(folder, 'packages', 'theirs'), { recursive: true })
  copyFileSync(join(import.meta.dirname, 'with-node.mjs'), join(checkout, 'scripts', 'with-node.mjs'))
  writeFileSync(join(checkout, 'scripts', 'register-tailrace.mjs'), '')
  writeFileSync(join(checkout, 'hello.mjs'), 'console.log("hello")')
  writeFileSync(
    join(checkout, 'package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/wanted': { version: '1.0.0' } } }),
  )
  symlinkSync(join(folder, 'packages'), join(checkout, 'node_modules'), 'junction')
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [join(checkout, 'scripts', 'with-node.mjs'), 'hello.mjs'],
    { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
  )
  expect({ stdout, status }).toEqual({ stdout: 'hello\n', status: 0 })
  expect(stderr).toMatch(/^Left node_modules as it is, for it is a link \(node_modules is incomplete\)/)
  expect(existsSync(join(folder, 'packages', 'theirs'))).toBe(true)
  rmSync(folder, { recursive: true })
})
