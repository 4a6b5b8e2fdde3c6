import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MiniCluster } from 'tailrace/testing'
import { expect, test } from 'vitest'

const program = new URL('./word-count.ts', import.meta.url)

/** Counts by word as the lines say them: each word's have to rise from 1, and its last one is kept. */
function totals(printed: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of printed) {
    const [, word, n] = /^(?:\d> )?(\S+) (\d+)$/.exec(line)!
    expect(Number(n)).toBe((counts[word] ?? 0) + 1)
    counts[word] = Number(n)
  }
  return counts
}

test.each([1, 2])('word count at parallelism %i counts the words of its poem', async (parallelism) => {
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  try {
    const options = { 'parallelism.default': String(parallelism) }
    const counts = totals((await cluster.runProgram(program, { options })).printed)
    expect(counts).toMatchObject({ the: 6, wind: 4, who: 2, seen: 2, trembling: 1, i: 2, neither: 2 })
    expect(Object.values(counts).reduce((a, b) => a + b)).toBe(42)
  } finally {
    await cluster.stop()
  }
})

test('word count reads the files of a directory', async () => {
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-words-'))
  try {
    writeFileSync(join(directory, 'a.txt'), 'Blåbær, blåbær!\n')
    writeFileSync(join(directory, 'b.txt'), 'og\nblåbær')
    const { printed } = await cluster.runProgram(program, { parameters: { input: directory } })
    expect(totals(printed)).toEqual({ blåbær: 3, og: 1 })
  } finally {
    rmSync(directory, { recursive: true, force: true })
    await cluster.stop()
  }
})
