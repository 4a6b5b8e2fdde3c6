/** Cancels a job, after asking. */
import { useRef, useState } from 'preact/hooks'
import { cancelJob } from './api.ts'

export function CancelButton({ jobId, name }: { jobId: string; name: string }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [error, setError] = useState<string>()
  const [waiting, setWaiting] = useState(false)
  const cancel = async () => {
    setWaiting(true)
    try {
      await cancelJob(jobId)
      dialog.current?.close()
    } catch (failure) {
      setError((failure as Error).message)
    }
    setWaiting(false)
  }
  return (
    <>
      <button type="button" class="danger" onClick={() => dialog.current?.showModal()}>
        Cancel job
      </button>
      <dialog ref={dialog} aria-labelledby="cancel-title" onClose={() => setError(undefined)}>
        <h2 class="question" id="cancel-title">
          Cancel “{name}”?
        </h2>
        <p>It stops reading at once. What its operators remember is lost.</p>
        {error !== undefined && (
          <p class="failure" role="alert">
            {error}
          </p>
        )}
        <div class="answers">
          <button type="button" onClick={() => dialog.current?.close()}>
            Keep it running
          </button>
          <button type="button" class="danger solid" disabled={waiting} onClick={cancel}>
            Cancel job
          </button>
        </div>
      </dialog>
    </>
  )
}
