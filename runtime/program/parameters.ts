/** Arguments of a program, and the job parameters among them, as Flink's ParameterTool reads them. */

export interface ProgramArguments {
  /** All of them, as given. */
  args: string[]
  parameters: Record<string, string>
}

/**
 * Takes `--name value`, `--name=value` and `-name value` for parameters; a name that no value follows is `true`. A number after a
 * name is a value, also a negative one.
 *
 * @example
 * parseArguments(['in.json', '--records', '500', '--verbose']).parameters // { records: '500', verbose: 'true' }
 */
export function parseArguments(args: readonly string[]): ProgramArguments {
  const parameters: Record<string, string> = {}
  for (let i = 0; i < args.length; i++) {
    const match = /^--?([A-Za-z_][^=]*)(?:=(.*))?$/s.exec(args[i]!)
    if (match === null) continue
    const [, name, value] = match
    const next = args[i + 1]
    if (value !== undefined) parameters[name!] = value
    else if (next !== undefined && (!next.startsWith('-') || /^-[\d.]/.test(next) || next === '-')) {
      parameters[name!] = next
      i++
    } else parameters[name!] = 'true'
  }
  return { args: [...args], parameters }
}
