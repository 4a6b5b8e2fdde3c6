/**
 * Tests run in Node itself: no file is transformed, so that raw V8 coverage has the offsets of the source, and worker
 * threads, `import('./map.ts?n=3')` and stack traces are what production has. See scripts/coverage.ts.
 */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{runtime,scripts,examples,bench,operator,e2e,charts}/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    pool: 'forks',
    execArgv: ['--import', new URL('./scripts/register-tailrace.mjs', import.meta.url).href],
    experimental: { viteModuleRunner: false },
    setupFiles: process.env.NODE_V8_COVERAGE ? ['./scripts/vitest-coverage-setup.ts'] : [],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
