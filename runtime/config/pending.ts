/**
 * Options that are defined and that nothing reads yet. They are taken, held to their types, and warned about; docs/configuration.md lists them apart. Whoever makes a part read one takes
 * it out of here: catalogue.test.ts holds the list to what the sources read.
 */
export const PENDING: ReadonlySet<string> = new Set([
  'cluster.services.shutdown-timeout',
  'execution.checkpointing.local-backup.dirs',
  'execution.checkpointing.local-backup.enabled',
  'execution.shutdown-on-application-finish',
  'execution.state-recovery.from-local',
  'io.tmp.dirs',
  'jobmanager.adaptive-scheduler.prefer-minimal-taskmanagers',
  'jobmanager.adaptive-scheduler.rescale-trigger.active-checkpoint.enabled',
  'jobmanager.adaptive-scheduler.rescale-trigger.max-delay',
  'jobmanager.adaptive-scheduler.submission.resource-wait-timeout',
  'jobmanager.memory.process.size',
  'process.jobmanager.working-dir',
  'process.taskmanager.working-dir',
  'process.working-dir',
  'rest.await-leader-timeout',
  'scheduler-mode',
  'slot.idle.timeout',
  'taskmanager.load-balance.mode',
  'taskmanager.memory.process.size',
  'taskmanager.slot.timeout',
  'user.artifacts.artifact-list',
])
