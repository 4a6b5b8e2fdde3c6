/** What the configuration of a job says of its checkpoints, by the keys that set it. */
import type { CheckpointConfig } from '../rest/checkpoints-schemas.ts'
import { duration } from './format.ts'

export function CheckpointSettings({ config }: { config: CheckpointConfig }) {
  return (
    <div class="card settings">
      <h2>Configuration</h2>
      <dl>
        {settingsOf(config).map(({ label, key, value, long }) => (
          <div key={label} class={long ? 'long' : ''} title={`execution.checkpointing.${key}`}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

interface Setting {
  label: string
  /** Behind `execution.checkpointing.` */
  key: string
  value: preact.ComponentChildren
  /** It may need a line of its own. */
  long?: boolean
}

function settingsOf(config: CheckpointConfig): Setting[] {
  const { interval, checkpoint_directory: directory, savepoint_directory: savepoints } = config
  const periodic = interval >= 0
  const tolerated = config.tolerable_failed_checkpoints
  return [
    { label: 'Interval', key: 'interval', value: periodic ? duration(interval) : 'none' },
    { label: 'Mode', key: 'mode', value: config.mode === 'EXACTLY_ONCE' ? 'exactly once' : 'at least once' },
    { label: 'Timeout', key: 'timeout', value: duration(config.timeout) },
    {
      label: 'Minimum pause',
      key: 'min-pause',
      value: config.min_pause === 0 ? 'none' : duration(config.min_pause),
    },
    { label: 'Concurrent', key: 'max-concurrent-checkpoints', value: config.max_concurrent },
    {
      label: 'Tolerated failures',
      key: 'tolerable-failed-checkpoints',
      value: tolerated === 0 ? 'none' : `${tolerated} in a row`,
    },
    { label: 'Retention', key: 'externalized-checkpoint-retention', value: retention(config) },
    {
      label: 'Directory',
      key: 'dir',
      long: true,
      value:
        directory === null ? (
          <>
            in memory; set <code>execution.checkpointing.dir</code> to keep them
          </>
        ) : (
          <code>{directory}</code>
        ),
    },
    {
      label: 'Savepoint directory',
      key: 'savepoint-dir',
      long: true,
      value: savepoints === null ? 'none: each savepoint needs one' : <code>{savepoints}</code>,
    },
  ]
}

function retention({ externalization: { enabled, delete_on_cancellation } }: CheckpointConfig): string {
  if (!enabled) return 'deleted at the end'
  return delete_on_cancellation ? 'kept if the job fails' : 'kept if it fails or is cancelled'
}
