/**
 * Preload of `npm run bench -- --package DIR`: `tailrace` and the parts that the benchmarks look into are those of the installed package in DIR
 * (compiled, as users run them), not this checkout's sources.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const packageUrl = new URL(`${process.env.TAILRACE_BENCH_PACKAGE!.replace(/\/$/, '')}/`)
const runtimeUrl = new URL('../runtime/', import.meta.url).href
const { name, exports } = JSON.parse(readFileSync(new URL('package.json', packageUrl), 'utf8')) as {
  name: string
  exports: Record<string, string | { default: string }>
}

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === name || specifier.startsWith(`${name}/`)) {
      const target = exports[`.${specifier.slice(name.length)}`]
      if (target === undefined) throw new Error(`Cannot find the door "${specifier}" in ${packageUrl.href}`)
      return {
        url: new URL(typeof target === 'string' ? target : target.default, packageUrl).href,
        format: 'module',
        shortCircuit: true,
      }
    }
    const resolved = next(specifier, context)
    if (!resolved.url.startsWith(runtimeUrl)) return resolved
    const path = resolved.url.slice(runtimeUrl.length).replace(/\.ts(?=$|\?)/, '.js')
    return { url: new URL(`dist/runtime/${path}`, packageUrl).href, format: 'module', shortCircuit: true }
  },
})
