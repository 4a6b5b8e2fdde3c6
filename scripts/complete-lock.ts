/**
 * Adds to package-lock.json the packages of other platforms that npm left out: `node scripts/with-node.mjs scripts/complete-lock.ts`.
 *
 * Why it exists: native packages list one optional dependency for each platform. Where a registry does not carry all of them, as
 * mirrors may not, `npm install` drops the absent ones from the lock in silence, and then `npm ci` refuses the lock everywhere. Run it
 * after an `npm install` that changed the lock; with `--check` it only reports, which is a step of the gate.
 *
 * An added entry has the version that its parent pins and the platform that its name tells, but no integrity: npm on that
 * platform takes what its registry gives, until an `npm install` there fills it in.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Lock {
  packages: Record<string, Entry>
}

interface Entry {
  version?: string
  optional?: boolean
  dev?: boolean
  devOptional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const OS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'wasi',
  'win32',
]
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** What npm reads to leave a package out, from a name such as `@biomejs/cli-linux-x64-musl`. */
export function platformOf(name: string): Pick<Entry, 'os' | 'cpu' | 'libc'> {
  const words = name.split(/[-/]/)
  const os = words.find((word) => OS.includes(word))
  const cpu =
    words.find((word) => CPU.includes(word)) ?? words.find((word) => word.startsWith('arm'))?.replace(/eabi.*$|hf$/, '')
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu')) && os === 'linux'
      ? 'glibc'
      : undefined
  return { ...(os && { os: [os] }), ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }) }
}

/** Adds what is missing and returns the names. */
export function complete({ packages }: Lock): string[] {
  const added: string[] = []
  for (const [parent, { optionalDependencies = {}, dev, devOptional }] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(optionalDependencies)) {
      if (resolves(packages, parent, name)) continue
      const { os, cpu, libc } = platformOf(name)
      // Without a platform npm would want it here too, so an entry would make things worse.
      if (!os && !cpu) throw new Error(`Cannot complete package-lock.json: ${name} of ${parent} tells no platform`)
      const version = range.replace(/^[\^~=v]+/, '')
      // In npm's own order, so that its next write changes nothing.
      packages[`node_modules/${name}`] = {
        version,
        ...(cpu && { cpu }),
        ...((dev || devOptional) && { dev: true }),
        ...(libc && { libc }),
        optional: true,
        ...(os && { os }),
      }
      added.push(`${name} ${version}`)
    }
  }
  return added
}

/** Whether a package at `parent` finds `name` beside or above itself. */
function resolves(packages: Lock['packages'], parent: string, name: string): boolean {
  for (let at = parent; ; at = at.replace(/\/?node_modules\/(?!.*node_modules\/).*$/, '')) {
    if (`${at && `${at}/`}node_modules/${name}` in packages) return true
    if (at === '') return false
  }
}

if (import.meta.main) {
  const path = join(import.meta.dirname, '../package-lock.json')
  const lock: Lock = JSON.parse(readFileSync(path, 'utf8'))
  const added = complete(lock)
  if (process.argv.includes('--check')) {
    if (added.length > 0) {
      console.error(`npm ci will refuse package-lock.json, which lacks:\n  ${added.join('\n  ')}`)
      console.error('way out: node scripts/with-node.mjs scripts/complete-lock.ts')
      process.exitCode = 1
    }
  } else {
    const { '': own, ...rest } = lock.packages
    lock.packages = {
      '': own,
      ...Object.fromEntries(Object.entries(rest).sort(([a], [b]) => a.localeCompare(b, 'en'))),
    }
    writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
    console.log(added.length > 0 ? `Added ${added.length}:\n  ${added.join('\n  ')}` : 'Nothing is missing')
  }
}
