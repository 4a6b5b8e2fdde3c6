/** What can be done with a job that runs: a savepoint, a stop with one, or its cancellation, each after asking. */
import { useRef, useState } from 'preact/hooks'
import type { CheckpointConfig } from '../rest/checkpoints-schemas.ts'
import { cancelJob, fetchJson } from './api.ts'
import { Dialog } from './dialog.tsx'
import { stopWithSavepoint, takeSavepoint } from './operations.ts'

interface Props {
  jobId: string
  name: string
  /** Otherwise there are no buttons; what an answer came to stays open. */
  running: boolean
}

export function JobActions({ jobId, name, running }: Props) {
  const savepoint = useRef<HTMLDialogElement>(null)
  const stop = useRef<HTMLDialogElement>(null)
  const cancel = useRef<HTMLDialogElement>(null)
  const [directory, setDirectory] = useState('')
  const [config, setConfig] = useState<CheckpointConfig>()
  const [drain, setDrain] = useState(false)
  const open = (dialog: typeof savepoint) => {
    dialog.current?.showModal()
    // Without it there are fewer hints.
    fetchJson<CheckpointConfig>(`jobs/${jobId}/checkpoints/config`).then(setConfig, () => {})
  }
  const field = <Directory value={directory} configured={config?.savepoint_directory ?? null} onInput={setDirectory} />
  return (
    <div class="actions">
      {running && (
        <>
          <button type="button" onClick={() => open(savepoint)}>
            Savepoint
          </button>
          <button type="button" onClick={() => open(stop)}>
            Stop with savepoint
          </button>
          <button type="button" class="danger" onClick={() => open(cancel)}>
            Cancel job
          </button>
        </>
      )}
      <Dialog
        dialog={savepoint}
        title={`Take a savepoint of “${name}”?`}
        done="Savepoint taken"
        keep="Not now"
        go="Take savepoint"
        going="Taking it …"
        onGo={async () => <Taken path={await takeSavepoint(jobId, { directory })} />}
      >
        <p>The job goes on. The savepoint is yours: nothing deletes it but you.</p>
        {field}
      </Dialog>
      <Dialog
        dialog={stop}
        title={`Stop “${name}” with a savepoint?`}
        done={`“${name}” has stopped`}
        keep="Keep it running"
        go="Stop job"
        going="Stopping …"
        onGo={async () => <Taken path={await stopWithSavepoint(jobId, { directory, drain })} />}
      >
        <p>
          Its sources stop, its state is written, its sinks commit, and it finishes. Another run goes on from there.
        </p>
        {field}
        <label class="choice">
          <input type="checkbox" checked={drain} onChange={({ currentTarget }) => setDrain(currentTarget.checked)} />
          <span>Drain: windows and timers fire as if the input had ended. Only if no run is to go on from it.</span>
        </label>
      </Dialog>
      <Dialog
        dialog={cancel}
        title={`Cancel “${name}”?`}
        keep="Keep it running"
        go="Cancel job"
        going="Cancelling …"
        danger
        onGo={async () => {
          await cancelJob(jobId)
          return undefined
        }}
      >
        <p>{cancelling(config)}</p>
      </Dialog>
    </div>
  )
}

/** What becomes of its state. */
function cancelling(config: CheckpointConfig | undefined): string {
  const kept = config?.externalization.enabled && !config.externalization.delete_on_cancellation
  if (kept) return 'It stops at once. Its last checkpoint is kept: another run can go on from there.'
  return 'It stops at once, and its checkpoints are deleted. To go on later, stop it with a savepoint.'
}

interface DirectoryProps {
  value: string
  configured: string | null
  onInput(value: string): void
}

function Directory({ value, configured, onInput }: DirectoryProps) {
  return (
    <label class="field">
      <span>Directory</span>
      <input
        type="text"
        value={value}
        spellcheck={false}
        placeholder={configured ?? '/path or s3://bucket/path'}
        onInput={({ currentTarget }) => onInput(currentTarget.value.trim())}
      />
    </label>
  )
}

function Taken({ path }: { path: string }) {
  return (
    <p role="status">
      Another run goes on from it by <code>--savepoint</code> and its path:
      <code class="path">{path}</code>
    </p>
  )
}
