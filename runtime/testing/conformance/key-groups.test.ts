/**
 * Runs the cases of keygroups.json: ranges, the subtask of a key group, and the default of maxParallelism. Keys are hashed in another
 * way here (core/hash.ts), so their vectors bind only from the key group on.
 */
import { deepStrictEqual } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { defaultMaxParallelism, intersectRanges, keyGroupRange, subtaskOfKeyGroup } from '../../core/key-groups.ts'
import { type ConformanceCase, loadCases, runCases, Skip, type SkipReason } from './load.ts'

const file = loadCases('keygroups.json')

describe.skipIf(file === undefined)('conformance: key groups', () => {
  it('passes every case that applies', async () => {
    const outcomes = await runCases('keygroups.json', file!.cases, (one) => {
      const driver = drivers[one.kind]
      if (driver === undefined) throw new Error(`no driver for the kind "${one.kind}"`)
      driver(one)
    })
    expect([...outcomes].filter(([, outcome]) => outcome.status === 'fail')).toEqual([])
    expect([...outcomes.values()].filter((outcome) => outcome.status === 'pass').length).toBeGreaterThan(10)
  })
})

const needsSnapshot = (): never => {
  throw new Skip('needs-snapshot')
}

const drivers: Record<string, (one: ConformanceCase) => void> = {
  calls: callsCase,
  key: keyCase,
  ranges: rangesCase,
  defaultMaxParallelism: ({ rows }) => {
    for (const { parallelism, maxParallelism } of rows)
      deepStrictEqual(defaultMaxParallelism(parallelism), maxParallelism)
  },
  // What state goes where on a rescale.
  operatorState: needsSnapshot,
  channelState: needsSnapshot,
  channelStateGates: needsSnapshot,
}

const functions: Record<string, ((args: any[]) => unknown) | SkipReason> = {
  computeOperatorIndexForKeyGroup: ([maxParallelism, parallelism, keyGroup]) =>
    subtaskOfKeyGroup(maxParallelism, parallelism, keyGroup),
  intersect: ([a, b]) => {
    const range = ([start, end]: number[]) => ({ start: start ?? 0, end: end ?? -1 })
    const both = intersectRanges(range(a), range(b))
    return both === undefined ? [] : [both.start, both.end]
  },
  assignToKeyGroup: 'other-hash',
  newToOldSubtasks: 'needs-snapshot',
}

/** Runs the calls that have a function here; skips the case when none has. */
function callsCase(one: ConformanceCase): void {
  let ran = 0
  let reason: SkipReason = 'integer-helper'
  for (const { fn, args, expect: wanted, error } of one.calls) {
    const call = functions[fn]
    if (typeof call !== 'function') {
      reason = call ?? reason
      continue
    }
    ran++
    if (error === undefined) deepStrictEqual(call(args), wanted)
    else expect(() => call(args)).toThrow()
  }
  if (ran === 0) throw new Skip(reason)
}

function keyCase(one: ConformanceCase): void {
  for (const { maxParallelism, keyGroup, subtask } of one.rows) {
    for (const [parallelism, index] of Object.entries(subtask))
      deepStrictEqual(subtaskOfKeyGroup(maxParallelism, Number(parallelism), keyGroup), index)
  }
  throw new Skip('other-hash')
}

function rangesCase({ maxParallelism, parallelism, ranges }: ConformanceCase): void {
  ranges.forEach((range: [number, number], subtask: number) => {
    const { start, end } = keyGroupRange(maxParallelism, parallelism, subtask)
    deepStrictEqual([start, end], range)
    for (const group of range) deepStrictEqual(subtaskOfKeyGroup(maxParallelism, parallelism, group), subtask)
  })
}
