import { expect, test } from 'vitest'
import { complete, type Lock, platformOf } from './complete-lock.ts'

test.each([
  ['@biomejs/cli-linux-x64-musl', { os: ['linux'], cpu: ['x64'], libc: ['musl'] }],
  ['@biomejs/cli-win32-arm64', { os: ['win32'], cpu: ['arm64'] }],
  ['@rolldown/binding-linux-arm-gnueabihf', { os: ['linux'], cpu: ['arm'], libc: ['glibc'] }],
  ['@rolldown/binding-win32-x64-msvc', { os: ['win32'], cpu: ['x64'] }],
  ['lightningcss-linux-arm64-gnu', { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] }],
  ['@rolldown/binding-wasm32-wasi', { os: ['wasi'], cpu: ['wasm32'] }],
  ['plain', {}],
])('platformOf(%s)', (name, platform) => expect(platformOf(name)).toEqual(platform))

test('complete() adds what a parent wants and nobody holds, and nothing twice', () => {
  const lock: Lock = {
    packages: {
      '': {},
      'node_modules/tool': {
        dev: true,
        optionalDependencies: { 'tool-linux-x64': '1.2.3', 'tool-darwin-arm64': '1.2.3', 'tool-win32-x64': '1.2.3' },
      },
      'node_modules/tool-linux-x64': { version: '1.2.3' },
      'node_modules/tool/node_modules/tool-win32-x64': { version: '1.2.3' },
    },
  }
  expect(complete(lock)).toEqual(['tool-darwin-arm64 1.2.3'])
  expect(lock.packages['node_modules/tool-darwin-arm64']).toEqual({
    version: '1.2.3',
    os: ['darwin'],
    cpu: ['arm64'],
    dev: true,
    optional: true,
  })
  expect(complete(lock)).toEqual([])
})
