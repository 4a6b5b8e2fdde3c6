/**
 * The command line of a script: what parseArgs of Node.js reads, with `--help`, and a mistake told in a line instead of a stack trace.
 *
 * @example
 * const { values } = commandLine('npm run chaos -- [--runs N]', { options: { runs: { type: 'string', default: '10' } } })
 * const runs = wholeNumber('--runs', values.runs, 1)
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'

/** Prints `usage` and ends for `--help`; with exit code 2 for options that are not there. */
export function commandLine<const C extends ParseArgsConfig>(
  usage: string,
  config: C,
): ReturnType<typeof parseArgs<C>> {
  const help = { type: 'boolean', short: 'h', default: false } as const
  try {
    const found = parseArgs({ ...config, options: { ...config.options, help } })
    if ((found.values as { help?: boolean }).help !== true) return found as ReturnType<typeof parseArgs<C>>
  } catch (error) {
    return refuse(`${(error as Error).message.split('. ', 1)[0]}\n\n${usage}`)
  }
  console.log(usage)
  process.exit(0)
}

/** The number that an option gives. `option` is its name, for the message: `--runs`. */
export function wholeNumber(option: string, text: string, min: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= min && text.trim() !== '') return value
  refuse(`${option} ${text}: a whole number from ${min} is wanted`)
}

/** The words of a list with commas, each of them one that is known; all that are known when it is not given. */
export function wordsOf(option: string, text: string | undefined, known: readonly string[]): readonly string[] {
  if (text === undefined) return known
  const words = text.split(',').map((word) => word.trim())
  const unknown = words.find((word) => !known.includes(word))
  if (unknown !== undefined) refuse(`${option} ${unknown}: there is none of that name, wanted: ${known.join(', ')}`)
  return words
}

/** Ends the process with exit code 2. */
export function refuse(problem: string): never {
  console.error(`Cannot run: ${problem}`)
  process.exit(2)
}
