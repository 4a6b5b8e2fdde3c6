/**
 * Counts words as they come: of a text file, of all files in a directory, or of a poem of its own.
 *
 *   npx tailrace run examples/word-count.ts
 *   npx tailrace run examples/word-count.ts --input README.md -p 2
 *
 * Each line is a word with its count so far; the last line of a word has its total.
 */
import type { StreamExecutionEnvironment } from 'tailrace'

const POEM = [
  'Who has seen the wind?',
  'Neither I nor you:',
  'But when the leaves hang trembling,',
  'The wind is passing through.',
  'Who has seen the wind?',
  'Neither you nor I:',
  'But when the trees bow down their heads,',
  'The wind is passing by.',
]

export default async function main(env: StreamExecutionEnvironment) {
  const { input } = env.parameters
  const lines = input === undefined ? env.fromData(POEM) : env.readTextFile(input)

  lines
    .flatMap((line) => line.toLowerCase().match(/\p{L}+/gu) ?? [])
    .map((word) => ({ word, n: 1 }))
    .keyBy((count) => count.word)
    .sum('n')
    .map((count) => `${count.word} ${count.n}`)
    .print()

  await env.execute('word count')
}
