/** Checkpoints and savepoints one by one, the newest first; a row opens to its place, why it failed, and its vertices. */
import { useState } from 'preact/hooks'
import type { CheckpointStatistics, TaskCheckpointDetails } from '../rest/checkpoints-schemas.ts'
import type { LivePlan } from '../rest/live-messages.ts'
import { usePolled } from './api.ts'
import { bytes, duration, lastPart, shortName, time } from './format.ts'
import { Status } from './status.tsx'

const REFRESH_MS = 1000

interface Props {
  plan: LivePlan
  history: CheckpointStatistics[]
}

export function CheckpointHistory({ plan, history }: Props) {
  const [open, setOpen] = useState<CheckpointStatistics>()
  // Nobody loses what he reads because newer ones came.
  const shown = open === undefined || history.some(({ id }) => id === open.id) ? history : [...history, open]
  const longest = Math.max(1, ...history.map((one) => one.end_to_end_duration))
  return (
    <div class="card scroll">
      <table class="checkpoints">
        <thead>
          <tr>
            <th>Checkpoint</th>
            <th>Status</th>
            <th class="wide">Triggered</th>
            <th class="num">Duration</th>
            <th class="num" title="Written anew, and the state in all">
              State
            </th>
            <th class="num wide">Subtasks</th>
            <th class="wide">Path</th>
          </tr>
        </thead>
        {shown.map((one) => (
          <tbody key={one.id} class={open?.id === one.id ? 'open' : ''}>
            <Line
              checkpoint={one}
              share={one.end_to_end_duration / longest}
              open={open?.id === one.id}
              onOpen={() => setOpen(open?.id === one.id ? undefined : one)}
            />
            {open?.id === one.id && <Details plan={plan} checkpoint={one} />}
          </tbody>
        ))}
      </table>
    </div>
  )
}

interface LineProps {
  checkpoint: CheckpointStatistics
  /** Of the longest duration. */
  share: number
  open: boolean
  onOpen(): void
}

function Line({ checkpoint, share, open, onOpen }: LineProps) {
  const { id, checkpoint_type, status, failure_message, checkpointed_size, state_size, external_path } = checkpoint
  return (
    <>
      <tr>
        <td>
          <button type="button" class="cover" aria-expanded={open} onClick={onOpen}>
            #{id}
          </button>
          <small>{KINDS[checkpoint_type]}</small>
        </td>
        <td>
          <Status state={status} />
          <small class="narrow">{time(checkpoint.trigger_timestamp)}</small>
        </td>
        <td class="dim wide">{time(checkpoint.trigger_timestamp)}</td>
        <td class="num">
          {duration(checkpoint.end_to_end_duration)}
          <span class="meter">
            <i style={{ width: `${share * 100}%` }} />
          </span>
        </td>
        <td class="num">
          {bytes(checkpointed_size)}
          {state_size !== checkpointed_size && <small>{bytes(state_size)} in all</small>}
        </td>
        <td class="num wide">
          {checkpoint.num_acknowledged_subtasks} of {checkpoint.num_subtasks}
        </td>
        <td class="dim wide">{checkpoint.discarded ? 'deleted' : lastPart(external_path)}</td>
      </tr>
      {failure_message !== undefined && (
        <tr class="reason">
          <td colSpan={COLUMNS}>
            <p class="failure">{failure_message}</p>
          </td>
        </tr>
      )}
    </>
  )
}

const COLUMNS = 7

const KINDS: Record<CheckpointStatistics['checkpoint_type'], string> = {
  CHECKPOINT: 'checkpoint',
  UNALIGNED_CHECKPOINT: 'unaligned',
  SAVEPOINT: 'savepoint',
  SYNC_SAVEPOINT: 'savepoint, stop',
}

function Details({ plan, checkpoint }: { plan: LivePlan; checkpoint: CheckpointStatistics }) {
  const { id, discarded, external_path } = checkpoint
  return (
    <>
      {plan.vertices.map((vertex) => (
        <Task
          key={vertex.id}
          name={vertex.name}
          path={`jobs/${plan.id}/checkpoints/details/${id}/subtasks/${vertex.id}`}
        />
      ))}
      {external_path !== undefined && (
        <tr class="subtask">
          <td colSpan={COLUMNS}>
            {discarded && 'Deleted since:'}
            <code class="path">{external_path}</code>
          </td>
        </tr>
      )}
    </>
  )
}

/** The part of one vertex. */
function Task({ name, path }: { name: string; path: string }) {
  const { data } = usePolled<TaskCheckpointDetails>(path, REFRESH_MS, (data) => data?.status !== 'IN_PROGRESS')
  return (
    <tr class="subtask">
      <td class="dim" colSpan={2}>
        {shortName(name)}
        {data !== undefined && <small class="narrow">{phases(data)}</small>}
      </td>
      <td class="wide" />
      <td class="num">
        {data === undefined || data.end_to_end_duration < 0 ? '' : duration(data.end_to_end_duration)}
      </td>
      <td class="num">{data === undefined ? '' : bytes(data.checkpointed_size)}</td>
      <td class="num wide">{data === undefined ? '' : `${data.num_acknowledged_subtasks} of ${data.num_subtasks}`}</td>
      <td class="dim wide" title="The most that a subtask took">
        {data === undefined ? '' : phases(data)}
      </td>
    </tr>
  )
}

/** Where the slowest subtasks spent it. */
function phases({ status, summary, num_acknowledged_subtasks }: TaskCheckpointDetails): string {
  if (num_acknowledged_subtasks === 0) return status === 'IN_PROGRESS' ? 'not yet' : 'not acknowledged'
  const { alignment, checkpoint_duration, start_delay } = summary
  const parts: [string, number][] = [
    ['start delay', start_delay.max],
    ['alignment', alignment.duration.max],
    ['sync', checkpoint_duration.sync.max],
    ['async', checkpoint_duration.async.max],
  ]
  return parts.map(([part, ms]) => `${part} ${duration(ms)}`).join(', ')
}
