/**
 * Tests of Flink's that run whole clusters, and where what they hold is held here. The inputs and expectations of ours are derived anew; flink-tests.test.ts looks that each test named here is there.
 */
export interface Counterpart {
  /** Class and method, or script. */
  flink: string
  /** What it holds. */
  holds: string
  /** Of each file, from the root, the test by its title. */
  ours: readonly [file: string, title: string][]
  /** Where ours is another thing on purpose. */
  differs?: string
}

const SCALING = 'e2e/cluster/scaling.slow.test.ts'
const FAILURES = 'e2e/cluster/failures.slow.test.ts'
const COMMANDS = 'e2e/cluster/commands.slow.test.ts'
const SCHEDULING = 'runtime/jobmanager/scheduling.test.ts'
const LOST_LEADER = 'e2e/ha/lost-leader.slow.test.ts'
const WITH_CHECKPOINTS = 'runtime/jobmanager/job-with-checkpoints.test.ts'

const FOLLOWS = 'a reactive job follows the TaskManagers that come and go, up to its max parallelism'
const ACTIVE = 'a job takes a checkpoint to change its parallelism, and gives back the slots that it leaves'
const UP_AND_DOWN = 'a job whose parallelism goes up and down gives what it gives without'
const CANCELLED_WHILE = 'a job is cancelled though a TaskManager of it has just got %s'
const KILLED = 'a TaskManager that is killed is replaced by a new process, and nothing is lost or doubled'
const WITHOUT_INTERVAL =
  'A job without periodic checkpoints takes one to change its parallelism, where Flink does not change it.'

export const FLINK_TESTS: readonly Counterpart[] = [
  // Scheduling
  {
    flink: 'ReactiveModeITCase.testScaleLimitByMaxParallelism',
    holds: 'no more subtasks than the max parallelism',
    ours: [
      [SCALING, FOLLOWS],
      [SCHEDULING, 'begins at once with what there is, and follows the slots up to the max parallelism'],
    ],
  },
  {
    flink: 'ReactiveModeITCase.testScaleUpOnAdditionalTaskManager',
    holds: 'more slots are taken',
    ours: [[SCALING, FOLLOWS]],
  },
  {
    flink: 'ReactiveModeITCase.testJsonPlanParallelismAfterRescale',
    holds: 'the plan of REST follows',
    ours: [[SCALING, FOLLOWS]],
  },
  {
    flink: 'ReactiveModeITCase.testScaleDownOnTaskManagerLoss',
    holds: 'a lost TaskManager costs parallelism, not the job',
    ours: [
      [SCALING, FOLLOWS],
      [SCHEDULING, 'goes on with what is left when a TaskManager is lost'],
    ],
  },
  {
    flink: 'ReactiveModeITCase.testContinuousFileMonitoringFunctionWithReactiveMode',
    holds: 'a vertex that is to be alone stays alone',
    ours: [
      [
        'runtime/jobmanager/scheduler/decide.test.ts',
        'leave what works on the whole stream in one place at that: a global committer of which there are two waits for reports that go to the first',
      ],
    ],
    differs: 'Vertices that the program gave a parallelism of their own keep it, too.',
  },
  {
    flink: 'RescaleOnCheckpointITCase.testRescaleOnCheckpoint',
    holds: 'the parallelism changes with the next checkpoint, and slots are given back',
    ours: [[SCALING, 'a job that is told to waits for the next checkpoint to change its parallelism']],
  },
  {
    flink: 'RescaleOnCheckpointITCase.testRescaleWithActiveCheckpointTrigger',
    holds: 'it takes a checkpoint of its own',
    ours: [[SCALING, ACTIVE]],
  },
  {
    flink: 'RescaleOnCheckpointITCase.testNoRescaleWithoutCheckpointingConfigured',
    holds: 'without checkpoints the parallelism stays',
    ours: [
      [
        'runtime/testing/rescale.test.ts',
        'goes on as it is when it cannot have what is wanted, and takes it when it can',
      ],
    ],
    differs: WITHOUT_INTERVAL,
  },
  {
    flink: 'ActiveCheckpointToRescaleITCase.testRescaleWithActiveCheckpointTrigger',
    holds: 'as above',
    ours: [
      [SCALING, ACTIVE],
      [SCHEDULING, 'takes a checkpoint of its own'],
    ],
  },
  {
    flink: 'ActiveCheckpointToRescaleITCase.testNoRescaleWithoutCheckpointingConfigured',
    holds: 'as above',
    ours: [],
    differs: WITHOUT_INTERVAL,
  },
  {
    flink: 'AdaptiveSchedulerITCase.testGlobalFailoverCanRecoverState',
    holds: 'state is there after a failure',
    ours: [
      ['runtime/testing/checkpoints.test.ts', 'gives the results of one that never failed, when a task ends by %s'],
    ],
  },
  {
    flink: 'AdaptiveSchedulerITCase.testStopWithSavepoint*',
    holds: 'a savepoint that fails leaves the job running; the next one stops it',
    ours: [
      [WITH_CHECKPOINTS, 'stop the job, which is FINISHED'],
      [WITH_CHECKPOINTS, 'that could not be written leave the job as it is'],
      [WITH_CHECKPOINTS, 'that were to stop the job are named when it fails instead, and it goes on from them'],
    ],
  },
  {
    flink: 'AdaptiveSchedulerITCase.testExceptionHistoryIsRetrievableFromTheRestAPI',
    holds: 'what ended attempts is shown',
    ours: [[FAILURES, KILLED]],
  },
  {
    flink: 'AdaptiveSchedulerITCase.testCancellationOfJobInRestartLoop',
    holds: 'a job that waits for its restart can be cancelled',
    ours: [
      [
        'runtime/jobmanager/job-restart.test.ts',
        'can be cancelled while tasks end, while the delay passes, and after it',
      ],
    ],
  },
  {
    flink: 'UpdateJobResourceRequirementsITCase',
    holds: 'requirements by REST take effect; slots are given back, and waited for',
    ours: [
      [SCALING, ACTIVE],
      ['runtime/rest/rescales.test.ts', 'takes bounds in Flink’s JSON, and shows them'],
    ],
  },
  {
    flink: 'AutoRescalingITCase.testCheckpointRescaling{In,Out}KeyedState',
    holds: 'state of keys is there at another parallelism',
    ours: [
      [SCALING, UP_AND_DOWN],
      ['runtime/testing/rescale.test.ts', 'counts every record once: %s'],
    ],
  },
  {
    flink:
      'AutoRescalingITCase.testCheckpointRescaling{In,Out}{NonPartitionedState,KeyedAndNonPartitionedState,BroadcastState,PartitionedOperatorState}',
    holds: 'lists, unions and broadcast state, too',
    ours: [
      ['runtime/testing/simulation/simulation.test.ts', 'draw every job and every fault, alone and together'],
      [
        'runtime/checkpoint/redistribute.test.ts',
        'each split element comes once, evenly, in order; union to all; one copy of broadcast to each',
      ],
    ],
  },
  // Processes that are killed
  {
    flink: 'TaskManagerProcessFailureStreamingRecoveryITCase',
    holds: 'exactly once through a TaskManager that is killed',
    ours: [
      [FAILURES, KILLED],
      ['e2e/chaos/cluster.slow.test.ts', 'a cluster of processes loses and doubles nothing: seed %i, kind %s'],
    ],
  },
  {
    flink: 'JobManagerHAProcessFailureRecoveryITCase',
    holds: 'the next leader goes on with the job',
    ours: [
      [LOST_LEADER, 'a leader that is killed is followed by one that stands by'],
      [LOST_LEADER, 'a leader that is killed and started again under its identity goes on with its job'],
    ],
  },
  {
    flink: 'ProcessFailureCancelingITCase',
    holds: 'a job whose TaskManager is gone, or silent, can be cancelled',
    ours: [[FAILURES, CANCELLED_WHILE]],
  },
  // Scripts
  {
    flink: 'test_resume_savepoint.sh',
    holds: 'stop with a savepoint, go on at the same, a lower or a higher parallelism',
    ours: [
      [COMMANDS, 'from the savepoint that it was stopped with, %s subtasks'],
      ['runtime/testing/savepoints.test.ts', 'stop it, and another goes on from there: %s'],
    ],
  },
  {
    flink: 'test_resume_externalized_checkpoints.sh',
    holds: 'a kept checkpoint is gone on from, after a failure, at another parallelism',
    ours: [[COMMANDS, 'from a checkpoint that was kept when it was cancelled, after a TaskManager was lost']],
  },
  {
    flink: 'test_ha_datastream.sh',
    holds: 'JobManagers and TaskManagers of a session cluster are killed, again and again',
    ours: [
      ['e2e/ha/session.slow.test.ts', 'jobs of a session cluster go on under the next leader'],
      ['e2e/chaos/cluster.slow.test.ts', 'a cluster of processes loses and doubles nothing: seed %i, kind %s'],
    ],
  },
  {
    flink: 'test_ha_per_job_cluster_datastream.sh',
    holds: 'the same with a cluster of one application',
    ours: [
      [LOST_LEADER, 'a leader that is killed and started again under its identity goes on with its job'],
      [LOST_LEADER, 'a leader that was stopped beyond its lease changes nothing when it is woken, and ends'],
    ],
  },
  {
    flink: 'test_stateful_stream_job_upgrade.sh',
    holds: 'another version of the job, with more operators, goes on from a savepoint at a higher parallelism',
    ours: [[COMMANDS, 'in its next version, which has more operators, with more subtasks']],
  },
  {
    flink: 'test_stream_state_ttl.sh',
    holds: 'state expires in time, through a savepoint and a restore',
    ours: [
      ['runtime/state/ttl.suite.ts', 'ends to the millisecond after the write'],
      [
        'runtime/state/ttl.suite.ts',
        'keeps its times through a restore, in which what has expired meanwhile stays away',
      ],
      ['runtime/state/ttl.suite.ts', 'ends at any parallelism as it would have before'],
    ],
  },
  {
    flink: 'test_file_sink.sh',
    holds: 'files hold each record once though TaskManagers are killed',
    ours: [
      [FAILURES, KILLED],
      ['runtime/testing/exactly-once-files.test.ts', 'a job to files gives each record once through %s'],
      [
        'runtime/connectors/files/exactly-once.test.ts',
        'writes each record once when it stops again and again, and readers take files away (property)',
      ],
    ],
  },
  {
    flink: 'test_cli.sh',
    holds: 'run attached and detached, list by state, show the plan, cancel',
    ours: [
      [COMMANDS, 'jobs are run to their end or in the background, listed, and cancelled'],
      ['runtime/cli/cluster-commands.test.ts', 'lists running jobs, one a line, and with --all those that have ended'],
    ],
  },
  {
    flink: 'test_heavy_deployment.sh',
    holds: 'a deployment whose state has very many handles, after a failure',
    ours: [[COMMANDS, 'a deployment with many handles of state to each subtask goes on after a failure']],
    differs: 'Of 8 slots, not of 100.',
  },
  {
    flink: 'flink-datastream-allround-test',
    holds:
      'one job with all kinds of state, windows and timers, under failures and rescaling, against what must come out',
    ours: [
      [SCALING, UP_AND_DOWN],
      ['runtime/testing/simulation/simulation.test.ts', 'draw every job and every fault, alone and together'],
    ],
  },
  {
    flink: 'flink-metrics-availability-test, flink-metrics-reporter-prometheus-test',
    holds: 'metrics of all scopes by REST and for Prometheus',
    ours: [[COMMANDS, 'metrics of all scopes come by REST and for Prometheus, from processes of their own']],
  },
]
