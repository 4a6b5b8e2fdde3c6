/**
 * Writes the raw V8 coverage of a test process: vitest ends its forks by a signal, and a process that dies by one writes
 * nothing. Loaded by vitest.config.ts only when NODE_V8_COVERAGE is set (scripts/coverage.ts).
 */
import { takeCoverage } from 'node:v8'
import { afterAll } from 'vitest'

// Registered before any hook of the test file, so it runs after all of them.
afterAll(() => takeCoverage())
