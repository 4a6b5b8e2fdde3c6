/**
 * The command `tailrace`. Each subcommand loads its own part when it is called, so that --help and --version answer at once.
 */
import { Command, CommanderError } from 'commander'
import { isTailraceError } from '../core/errors.ts'
import { version } from '../program/running-copy.ts'
import { EXIT } from './exit-codes.ts'
import { parseProperty, type RunFlags } from './settings.ts'

const RUN_HELP = `
Job parameters:
  Any other --name value after JOB is a parameter of the job (env.parameters), and all of it is in
  env.args. What follows -- is never taken for an option of tailrace.

Examples:
  tailrace run job.ts                            run on an embedded cluster, Web UI on port 8081
  tailrace run job.ts -p 4 --input data/         four slots; the job reads env.parameters.input
  tailrace run job.ts -D execution.buffer-timeout.interval="1 ms"
  tailrace run job.ts -- --port 7000             here --port is the job's

Exit codes:
  0 the job finished   1 it failed   2 wrong usage   130 it was cancelled (Ctrl-C, REST, the page)

Environment:
  TAILRACE_DEBUG=1 shows whole stacks of errors; NO_COLOR turns colours off.`

function build(): Command {
  const program = new Command('tailrace')
    .description('Stateful stream processing in TypeScript.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText('after', '\nBegin with: tailrace run job.ts\nHelp for one command: tailrace help run')
  program
    .command('run')
    .description('run a job on an embedded cluster until it ends')
    .argument('<job>', 'module of the job: .ts, .mts, .js or .mjs')
    .argument('[args...]', 'arguments and parameters of the job')
    .option('-p, --parallelism <n>', 'subtasks of each operator (parallelism.default; 2, or 1 on one core)')
    .option('--slots <n>', 'slots of the cluster, each a thread (default: the parallelism)')
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--port <port>', 'port of REST and the Web UI, or a range (default: 8081, or the next free one)')
    .option('--metrics-port <port>', 'port of Prometheus metrics, or a range (default: 9249, or the next free one)')
    .option('--no-web', 'serve neither REST nor the Web UI')
    .allowUnknownOption()
    .addHelpText('after', RUN_HELP)
    .action(async (job: string, args: string[], options: Record<string, unknown>) => {
      const { run } = await import('./run.ts')
      const flags = { ...options, config: options.D ?? {} } as unknown as RunFlags
      process.exit(await run(job, args, flags))
    })
  return program
}

try {
  await build().parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.finished : EXIT.usage
  } else if (isTailraceError(error)) {
    process.stderr.write(`✘ ${error.code}: ${error.message}\n`)
    process.exitCode = EXIT.usage
  } else throw error
}
