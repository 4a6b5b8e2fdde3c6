/**
 * The command `tailrace`. Each subcommand loads its own part when it is called, so that --help and --version answer at once.
 */
import { Command, CommanderError, Option } from 'commander'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import { version } from '../program/running-copy.ts'
import type { BuildFlags } from './build.ts'
import type {
  CheckpointFlags,
  ClusterFlags,
  ListFlags,
  RescaleFlags,
  SavepointFlags,
  StopFlags,
  Surroundings,
} from './cluster-commands.ts'
import type { ConfigurationFlags } from './configuration.ts'
import { EXIT } from './exit-codes.ts'
import type { LocalClusterFlags, StartFlags } from './local-cluster.ts'
import type { RemoteRunFlags } from './remote-run.ts'
import { type RestoreFlags, withRestoreFlags } from './restore-flags.ts'
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
  tailrace run s3://bucket/jobs/clicks.tgz       an artifact that tailrace build has made
  tailrace run job.ts -m localhost:8081          on a cluster that runs; Ctrl-C leaves the job alone
  tailrace run job.ts -m localhost:8081 -d       prints the id of the job and ends

Exit codes:
  0 the job finished   1 it failed   2 wrong usage   130 it was cancelled (Ctrl-C, REST, the page)

Environment:
  TAILRACE_CONF_DIR is where config.yaml is (--config-dir; else conf, if it has one); TAILRACE_PROPERTIES
  has lines of key: value. TAILRACE_DEBUG=1 shows whole stacks of errors; NO_COLOR turns colours off.`

const CONFIG_DIR = 'directory of config.yaml (TAILRACE_CONF_DIR; default: conf, if it has one)'

const INSPECT_HELP = `
Examples:
  tailrace inspect /data/savepoints/savepoint-1a2b3c-0123456789ab
  tailrace inspect s3://bucket/checkpoints/my-job/chk-42 --json

Exit codes:
  0 it was read   1 it cannot be read   2 wrong usage`

const CHECK_HELP = `
The job's main runs up to its first execute(), so it may need its parameters.

Examples:
  tailrace check --savepoint /data/savepoints/savepoint-1a2b3c-0123456789ab job.ts
  tailrace check -s s3://bucket/savepoints/savepoint-1a2b3c-0123456789ab job.ts -p 8 --input data/

Exit codes:
  0 the job can go on from it   1 the savepoint or the job cannot be read   2 wrong usage
  3 the job cannot go on from it`

const BUILD_HELP = `
The job and the packages that it imports become one ES module. "tailrace" stays outside: the cluster has it. Packages
with native parts cannot be in a module; with them the output is a .tgz that carries them for this machine's platform.
What was built is loaded twice, up to the first execute(): both must build the same graph. The job may need its
parameters for that.

Examples:
  tailrace build job.ts                          dist/job.mjs, or dist/job.tgz
  tailrace build job.ts -o clicks.tgz            a package
  tailrace build job.ts -- --input data/         with a parameter that main asks for

Exit codes:
  0 it was built   1 it cannot be built or loaded   2 wrong usage`

const OPERATOR_HELP = `
In a pod it uses the service account, elsewhere KUBECONFIG or ~/.kube/config. Of several operators one leads; the others
stand by, and lead when it ends.

Environment:
  POD_NAME and POD_NAMESPACE say who it is; TAILRACE_OPERATOR_LEASE names the Lease.

Exit codes:
  0 it was told to end   1 it cannot start   2 wrong usage   4 another leads: start it again to stand by`

const CLUSTER_EXIT = `
Exit codes:
  0 done   1 the cluster does not answer, refuses or could not   2 wrong usage`

const CLUSTER_HELP = `
Examples:
  tailrace cluster start                          a JobManager and a TaskManager with 2 slots
  tailrace cluster start --taskmanagers 3 --slots 4 -D execution.checkpointing.dir=/data/checkpoints
  tailrace run job.ts -m localhost:8081
  tailrace cluster stop

Exit codes:
  0 done   1 it could not be started   2 wrong usage, or a cluster runs there`

const RESCALE_HELP = `
A checkpoint is taken, and the job goes on from it with the new parallelism, in the same processes. Operators that the
program gave a parallelism of their own keep it.

Examples:
  tailrace rescale "page clicks" -p 8
  tailrace rescale 1a2b -p 8 --wait            until all of it runs so
${CLUSTER_EXIT}`

const JOB_ARGUMENT = 'id of the job, its first digits (4 or more), or its name'

const SAVEPOINT_HELP = `
Without a directory it goes where execution.checkpointing.savepoint-dir of the job says.

Examples:
  tailrace savepoint "page clicks" /data/savepoints
  tailrace savepoint 1a2b s3://bucket/savepoints --json
  tailrace savepoint --dispose /data/savepoints/savepoint-1a2b3c-0123456789ab
${CLUSTER_EXIT}`

const STOP_HELP = `
The sources stop, a savepoint is taken, and the job finishes behind it: nothing is lost, and another run goes on
from there (tailrace run -s PATH). With --drain the input ends first: windows and timers fire, and no run should
go on from it.

Examples:
  tailrace stop "page clicks" -p /data/savepoints
  tailrace stop 1a2b --drain
${CLUSTER_EXIT}`

interface CheckOptions extends RestoreFlags, ConfigurationFlags {
  parallelism?: string
  json: boolean
}

/** What is said about it goes to standard error. */
async function configurationOf(
  options: ConfigurationFlags,
  how: { quiet?: boolean } = {},
): Promise<Record<string, string>> {
  const { commandConfiguration } = await import('./configuration.ts')
  const error = (text: string) => void process.stderr.write(text)
  return await commandConfiguration(options, { environment: process.env, cwd: process.cwd(), error }, how)
}

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
    .description('run a job until it ends, on an embedded cluster or on one that runs')
    .argument('<job>', 'the job: a .ts, .mts, .js, .mjs or .tgz file, or its address (local:, file:, https:, s3:)')
    .argument('[args...]', 'arguments and parameters of the job')
    .option('-p, --parallelism <n>', 'subtasks of each operator (parallelism.default; 2, or 1 on one core)')
    .option('--slots <n>', 'slots of the cluster, each a thread (default: the parallelism)')
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .option('--port <port>', 'port of REST and the Web UI, or a range (default: 8081, or the next free one)')
    .option('--metrics-port <port>', 'port of Prometheus metrics, or a range (default: 9249, or the next free one)')
    .option('--no-web', 'serve neither REST nor the Web UI')
    .option('-m, --jobmanager <host:port>', 'build the job, and run it on the cluster whose REST is there')
    .option('-d, --detached', 'with -m: print the id of the job when it runs, and leave it', false)
    .option('-s, --savepoint <path>', 'go on from this checkpoint or savepoint (execution.state-recovery.path)')
    .option('-n, --allow-non-restored-state', 'leave state behind that no operator of the job takes')
    .option('--claim-mode <mode>', 'NO_CLAIM: what the job begins with stays yours; CLAIM: it becomes the job’s')
    // Flink's spellings.
    .addOption(new Option('--from-savepoint <path>').hideHelp())
    .addOption(new Option('--fromSavepoint <path>').hideHelp())
    .addOption(new Option('--allowNonRestoredState').hideHelp())
    .addOption(new Option('--claimMode <mode>').hideHelp())
    .allowUnknownOption()
    .addHelpText('after', RUN_HELP)
    .action(async (job: string, args: string[], options: Record<string, unknown>) => {
      const config = withRestoreFlags(await configurationOf(options), options)
      if (options.jobmanager !== undefined) process.exit(await runRemotely(job, args, options, config))
      if (options.detached === true)
        throw new TailraceError(
          'TR-CLI-001',
          'Cannot leave a job that runs in this process: --detached wants --jobmanager',
        )
      const { run } = await import('./run.ts')
      process.exit(await run(job, args, { ...options, config } as unknown as RunFlags))
    })
  program
    .command('jobmanager')
    .description('run a JobManager: with a job the cluster of that application, without a session cluster')
    .argument('[job]', 'module or artifact of the job')
    .argument('[args...]', 'arguments and parameters of the job')
    .option('-p, --parallelism <n>', 'as for run')
    .option('--port <port>', 'port of REST and the Web UI, or a range')
    .option('--metrics-port <port>', 'port of Prometheus metrics, or a range')
    .option('--log-dir <directory>', 'keep the log, and what jobs print, in files there')
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .allowUnknownOption()
    .action(async (job: string | undefined, args: string[], options: Record<string, unknown>) => {
      const [{ jobmanager }, { processTerminal }] = await Promise.all([
        import('./jobmanager.ts'),
        import('./terminal.ts'),
      ])
      const onReady = (ready: object) => void process.send?.(ready)
      process.exit(await jobmanager(job, args, options, processTerminal(process), onReady))
    })
  program
    .command('taskmanager')
    .description('run a TaskManager: slots for the jobs of a JobManager')
    .option('--metrics-port <port>', 'port of Prometheus metrics, or a range')
    .option('--log-dir <directory>', 'keep the log, and what jobs print, in files there')
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .action(async (options: Record<string, unknown>) => {
      const [{ taskmanager }, { processTerminal }] = await Promise.all([
        import('./taskmanager.ts'),
        import('./terminal.ts'),
      ])
      process.exit(await taskmanager(options, processTerminal(process)))
    })
  addOperator(program)
  program
    .command('inspect')
    .description('show what is in a checkpoint or savepoint: operators, states, types, sizes')
    .argument('<path>', 'its folder, or the _metadata in it: a path, file:///… or s3://…')
    .option('-D <key=value>', 'a configuration value, such as of S3; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .option('--json', 'print JSON', false)
    .addHelpText('after', INSPECT_HELP)
    .action(async (path: string, options: ConfigurationFlags & { json: boolean }) => {
      const [{ inspect }, { storeOpener }, { processTerminal }] = await Promise.all([
        import('./inspect.ts'),
        import('./store-opener.ts'),
        import('./terminal.ts'),
      ])
      const terminal = processTerminal(process)
      process.exit(await inspect(path, options, storeOpener(await configurationOf(options), terminal), terminal))
    })
  program
    .command('check')
    .description('tell whether a job can go on from a checkpoint or savepoint, without starting it')
    .argument('<job>', 'the job, as for run')
    .argument('[args...]', 'arguments and parameters of the job')
    .option('-s, --savepoint <path>', 'the checkpoint or savepoint (execution.state-recovery.path)')
    .option('-n, --allow-non-restored-state', 'leave state behind that no operator of the job takes')
    .option('-p, --parallelism <n>', 'as for run')
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .option('--json', 'print JSON', false)
    .allowUnknownOption()
    .addHelpText('after', CHECK_HELP)
    .action(async (job: string, args: string[], options: CheckOptions) => {
      const [{ check }, { storeOpener }, { processTerminal }] = await Promise.all([
        import('./check.ts'),
        import('./store-opener.ts'),
        import('./terminal.ts'),
      ])
      const config = withRestoreFlags(await configurationOf(options), options)
      const terminal = processTerminal(process)
      process.exit(await check(job, args, { ...options, config }, storeOpener(config, terminal), terminal))
    })
  addBuild(program)
  addClusterCommands(program)
  addLocalCluster(program)
  return program
}

function addOperator(program: Command): void {
  program
    .command('operator')
    .description('look after StreamDeployments in Kubernetes')
    .option('--watch-namespaces <names>', 'namespaces, with commas (default: all of them)')
    .option('--parallelism <n>', 'resources that are worked on at once (default: 20)')
    .option('--health-port <port>', 'port of /livez, /healthz and /readyz, or a range (default: 8085)')
    .option('--metrics-port <port>', 'port of Prometheus metrics, or a range (default: 9249, or the next free one)')
    .option('--no-leader-election', 'be the only operator')
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .addHelpText('after', OPERATOR_HELP)
    .action(async (options: Record<string, unknown>) => {
      const [{ operator }, { processTerminal }] = await Promise.all([import('./operator.ts'), import('./terminal.ts')])
      const onReady = (ready: object) => void process.send?.(ready)
      process.exit(await operator(options, processTerminal(process), onReady))
    })
}

function addBuild(program: Command): void {
  program
    .command('build')
    .description('build a job and what it imports into one file')
    .argument('<job>', 'module of the job: .ts, .mts, .js or .mjs')
    .argument('[args...]', 'arguments and parameters of the job, for looking whether it can be loaded')
    .option('-o, --out <file>', 'what to write: .mjs or .tgz (default: dist/<job>.mjs, or .tgz)')
    .option('--package', 'a .tgz, also when one module would do', false)
    .option(
      '--external <name>',
      'carry this package as it is, in a .tgz; may be repeated',
      (name, all: string[]) => [...all, name],
      [],
    )
    .option('--no-check', 'do not look whether what was built can be loaded')
    .option('-D <key=value>', 'a configuration value for that; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .option('--json', 'print JSON', false)
    .allowUnknownOption()
    .addHelpText('after', BUILD_HELP)
    .action(async (job: string, args: string[], options: BuildFlags & ConfigurationFlags) => {
      const [{ build }, { processTerminal }] = await Promise.all([import('./build.ts'), import('./terminal.ts')])
      const config = await configurationOf(options)
      process.exit(await build(job, args, { ...options, config }, processTerminal(process)))
    })
}

async function runRemotely(
  job: string,
  args: string[],
  options: Record<string, unknown>,
  config: Record<string, string>,
): Promise<number> {
  const [{ remoteRun }, { processTerminal }] = await Promise.all([import('./remote-run.ts'), import('./terminal.ts')])
  const interrupted = new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, resolve)
  })
  return await remoteRun(
    job,
    args,
    { ...(options as unknown as RemoteRunFlags), config },
    {
      terminal: processTerminal(process),
      sleep,
      interrupted,
    },
  )
}

/** Processes in the background. */
function addLocalCluster(program: Command): void {
  const group = program
    .command('cluster')
    .description('start or stop a cluster of processes on this machine')
    .addHelpText('after', CLUSTER_HELP)
  const surroundings = async () => {
    const { processTerminal } = await import('./terminal.ts')
    const command = [process.execPath, ...process.execArgv, process.argv[1]!]
    return { terminal: processTerminal(process), sleep, environment: process.env, command }
  }
  const DIR = 'where process ids and logs are (default: one of this user in the temporary directory)'
  group
    .command('start')
    .description('start a JobManager and TaskManagers in the background')
    .option('--taskmanagers <n>', 'so many', '1')
    .option('--slots <n>', 'slots of each TaskManager (taskmanager.numberOfTaskSlots; default: 2)')
    .option('--port <port>', 'port of REST and the Web UI, or a range (default: 8081, or the next free one)')
    .option('--metrics-port <port>', 'port of Prometheus metrics, or a range')
    .option('--dir <directory>', DIR)
    .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
    .option('--config-dir <directory>', CONFIG_DIR)
    .option('--json', 'print JSON', false)
    .action(async (options: StartFlags) => {
      const { startLocalCluster } = await import('./local-cluster.ts')
      const config = await configurationOf(options)
      process.exit(await startLocalCluster({ ...options, config }, await surroundings()))
    })
  group
    .command('stop')
    .description('end the processes that start has made')
    .option('--dir <directory>', DIR)
    .option('--json', 'print JSON', false)
    .action(async (options: LocalClusterFlags) => {
      const { stopLocalCluster } = await import('./local-cluster.ts')
      process.exit(await stopLocalCluster(options, await surroundings()))
    })
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

type Options = Record<string, unknown> & ConfigurationFlags

/** Commands to a cluster that runs. */
function addClusterCommands(program: Command): void {
  const add = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--address <host:port>', 'of the cluster (rest.address, rest.port; default: localhost:8081)')
      .option('-D <key=value>', 'a configuration value; may be repeated', parseProperty)
      .option('--config-dir <directory>', CONFIG_DIR)
      .option('--json', 'print JSON', false)
  const act = async <F>(
    options: Options,
    run: (commands: typeof import('./cluster-commands.ts'), flags: F, surroundings: Surroundings) => Promise<number>,
  ) => {
    const [commands, { processTerminal }] = await Promise.all([
      import('./cluster-commands.ts'),
      import('./terminal.ts'),
    ])
    const flags = { ...options, config: await configurationOf(options, { quiet: true }) } as F
    process.exit(await run(commands, flags, { terminal: processTerminal(process), sleep }))
  }
  add('list', 'list the running jobs of a cluster')
    .option('-a, --all', 'also those that have ended', false)
    .addHelpText('after', CLUSTER_EXIT)
    .action((options: Options) => act<ListFlags>(options, ({ list }, flags, around) => list(flags, around)))
  add('savepoint', 'take a savepoint of a running job, or dispose of one')
    .argument('[job]', JOB_ARGUMENT)
    .argument('[directory]', 'where the savepoint gets a folder of its own: a path, file:///… or s3://…')
    .option('-d, --dispose <path>', 'delete this savepoint')
    .option('--type <type>', 'canonical, or native: the same for now')
    .addHelpText('after', SAVEPOINT_HELP)
    .action((job: string | undefined, directory: string | undefined, options: Options & { dispose?: string }) =>
      act<SavepointFlags>(options, ({ dispose, savepoint }, flags, around) => {
        if ((job === undefined) === (options.dispose === undefined))
          throw new TailraceError('TR-CLI-001', 'Cannot tell what to do: wanted a job, or --dispose PATH')
        return job === undefined ? dispose(options.dispose!, flags, around) : savepoint(job, directory, flags, around)
      }),
    )
  add('stop', 'stop a job with a savepoint')
    .argument('<job>', JOB_ARGUMENT)
    .option('-p, --savepoint-path <directory>', 'where the savepoint gets a folder of its own')
    .addOption(new Option('--savepointPath <directory>').hideHelp())
    .option('-d, --drain', 'end the input first, and flush everything', false)
    .option('--type <type>', 'canonical, or native: the same for now')
    .addHelpText('after', STOP_HELP)
    .action((job: string, options: Options) =>
      act<StopFlags>(options, ({ stop }, flags, around) => stop(job, flags, around)),
    )
  add('checkpoint', 'take a checkpoint of a running job now')
    .argument('<job>', JOB_ARGUMENT)
    .option('--full', 'a whole one')
    .option('--incremental', 'one that builds on the one before')
    .addHelpText('after', CLUSTER_EXIT)
    .action((job: string, options: Options) =>
      act<CheckpointFlags>(options, ({ checkpoint }, flags, around) => checkpoint(job, flags, around)),
    )
  add('rescale', 'give a running job another parallelism')
    .argument('<job>', JOB_ARGUMENT)
    .requiredOption('-p, --parallelism <n>', 'subtasks of each operator')
    .option('--wait', 'until the job runs with it', false)
    .addHelpText('after', RESCALE_HELP)
    .action((job: string, options: Options) =>
      act<RescaleFlags>(options, ({ rescale }, flags, around) => rescale(job, flags, around)),
    )
  add('shutdown', 'end a cluster: its jobs, its TaskManagers and its JobManager')
    .addHelpText('after', CLUSTER_EXIT)
    .action((options: Options) => act<ClusterFlags>(options, ({ shutdown }, flags, around) => shutdown(flags, around)))
  add('cancel', 'cancel a job: it stops at once, without a savepoint')
    .argument('<job>', JOB_ARGUMENT)
    .addHelpText('after', CLUSTER_EXIT)
    .action((job: string, options: Options) =>
      act<ClusterFlags>(options, ({ cancel }, flags, around) => cancel(job, flags, around)),
    )
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
