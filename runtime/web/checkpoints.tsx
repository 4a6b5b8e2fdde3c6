/** The checkpoints of a job: the last of each kind, what a failure goes back to, the history, and what the configuration says. */
import type {
  CheckpointConfig,
  CheckpointingStatistics,
  CheckpointStatistics,
  RestoredCheckpoint,
} from '../rest/checkpoints-schemas.ts'
import type { LivePlan } from '../rest/live-messages.ts'
import { usePolled } from './api.ts'
import { CheckpointHistory } from './checkpoint-history.tsx'
import { CheckpointSettings } from './checkpoint-settings.tsx'
import { ago, bytes, duration, lastPart, time } from './format.ts'
import { Tile } from './tile.tsx'

const REFRESH_MS = 1000

interface Props {
  plan: LivePlan
  /** Of the cluster's clock. */
  now: number
  running: boolean
}

export function Checkpoints({ plan, now, running }: Props) {
  const { data, error } = usePolled<CheckpointingStatistics>(`jobs/${plan.id}/checkpoints`, REFRESH_MS)
  const { data: config } = usePolled<CheckpointConfig>(`jobs/${plan.id}/checkpoints/config`, 60_000)
  if (data === undefined || config === undefined) return <p class="empty">{error ?? ''}</p>
  const { counts, latest, history } = data
  return (
    <>
      {counts.total > 0 && <Tiles statistics={data} now={now} />}
      {(counts.total > 0 || latest.restored !== null) && <Facts statistics={data} now={now} running={running} />}
      {history.length > 0 ? (
        <CheckpointHistory plan={plan} history={history} />
      ) : (
        <None config={config} running={running} />
      )}
      <CheckpointSettings config={config} />
    </>
  )
}

function Tiles({
  statistics: { counts, latest, summary, history },
  now,
}: {
  statistics: CheckpointingStatistics
  now: number
}) {
  const { completed, savepoint } = latest
  return (
    <div class="tiles">
      <Tile
        label="Last checkpoint"
        value={completed === null ? '–' : `#${completed.id}`}
        note={
          completed === null
            ? 'none yet'
            : `${ago(now - completed.trigger_timestamp)}, in ${duration(completed.end_to_end_duration)}, ${bytes(completed.state_size)}`
        }
      />
      <Tile
        label="Completed"
        value={String(counts.completed)}
        note={`${counts.failed} failed, ${counts.in_progress} in progress`}
      />
      <Tile
        label="Duration"
        value={counts.completed === 0 ? '–' : duration(summary.end_to_end_duration.p50)}
        note={counts.completed === 0 ? 'none yet' : `median; 99 % within ${duration(summary.end_to_end_duration.p99)}`}
        chart={durations(history)}
      />
      <Tile
        label="Last savepoint"
        value={savepoint === null ? '–' : `#${savepoint.id}`}
        note={
          savepoint === null
            ? 'none yet'
            : `${ago(now - savepoint.trigger_timestamp)}, ${lastPart(savepoint.external_path)}`
        }
      />
    </div>
  )
}

interface FactsProps {
  statistics: CheckpointingStatistics
  now: number
  running: boolean
}

function Facts({ statistics, now, running }: FactsProps) {
  const { latest, history } = statistics
  const { failed, restored, savepoint } = latest
  return (
    <div class="card facts-list">
      {running && (
        <p>
          <b>A failure goes back to</b> {restorePoint(statistics)}
        </p>
      )}
      {restored !== null && (
        <p>
          <b>Restored from</b> {restored.is_savepoint ? 'savepoint' : 'checkpoint'} #{restored.id},{' '}
          {ago(now - restored.restore_timestamp)}
          {!isGone(restored, statistics) && <code class="path">{restored.external_path}</code>}
        </p>
      )}
      {savepoint?.external_path !== undefined && (
        <p>
          <b>Last savepoint</b> #{savepoint.id}, {ago(now - savepoint.trigger_timestamp)}
          <code class="path">{savepoint.external_path}</code>
        </p>
      )}
      {failed !== null && (
        <p>
          <b>Last failed</b> #{failed.id}, {ago(now - failed.trigger_timestamp)}
          {!history.some(({ id }) => id === failed.id) && <span class="failure">{failed.failure_message}</span>}
        </p>
      )}
    </div>
  )
}

function restorePoint({ latest: { completed, restored } }: CheckpointingStatistics) {
  if (completed !== null && completed.id > (restored?.id ?? -1))
    return `checkpoint #${completed.id}, taken at ${time(completed.trigger_timestamp)}`
  if (restored !== null)
    return `${restored.is_savepoint ? 'savepoint' : 'checkpoint'} #${restored.id}, which it began with`
  return 'the beginning: there is no checkpoint yet'
}

/** It belongs to this job, which has newer ones instead. */
function isGone(restored: RestoredCheckpoint, { latest: { completed }, history }: CheckpointingStatistics): boolean {
  const folder = (path: string | undefined) => path?.replace(/\/[^/]*$/, '')
  if (restored.is_savepoint || folder(restored.external_path) !== folder(completed?.external_path)) return false
  return history.find(({ id }) => id === restored.id)?.discarded ?? true
}

/** What to do about there being none. */
function None({ config: { interval }, running }: { config: CheckpointConfig; running: boolean }) {
  if (interval >= 0)
    return (
      <p class="empty">
        {running
          ? `No checkpoint yet: one begins every ${duration(interval)}.`
          : 'It ended before its first checkpoint.'}
      </p>
    )
  return (
    <div class="empty">
      <p>No checkpoints{running && ': a failure goes back to the beginning'}.</p>
      <p>
        Set <code>execution.checkpointing.interval</code>, such as <code>10s</code>, to have them taken.
      </p>
    </div>
  )
}

/** The oldest first, for the small chart. */
function durations(history: readonly CheckpointStatistics[]): number[] {
  return history
    .filter(({ status }) => status === 'COMPLETED')
    .map((one) => one.end_to_end_duration)
    .reverse()
}
