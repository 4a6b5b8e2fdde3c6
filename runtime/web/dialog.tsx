/** A question with its answers, over the page. It stays open until the answer has come to something, and shows why when it could not. */
import type { ComponentChildren, RefObject } from 'preact'
import { useId, useState } from 'preact/hooks'

interface Props {
  dialog: RefObject<HTMLDialogElement | null>
  title: string
  /** Instead of it when there is something to be read. */
  done?: string
  /** The way out, before anything has happened. */
  keep: string
  /** The way on, and the same while it is under way. */
  go: string
  going: string
  danger?: boolean
  /** What shall be done; what it gives stays to be read, without anything the dialog closes. */
  onGo(): Promise<ComponentChildren>
  children: ComponentChildren
}

export function Dialog({ dialog, title, done = title, keep, go, going, danger = false, onGo, children }: Props) {
  const [state, setState] = useState<{ waiting?: boolean; error?: string; result?: ComponentChildren }>({})
  const titleId = useId()
  const close = () => dialog.current?.close()
  const submit = async (event: Event) => {
    event.preventDefault()
    setState({ waiting: true })
    try {
      const result = await onGo()
      setState({ result })
      if (result === undefined) close()
    } catch (failure) {
      setState({ error: (failure as Error).message })
    }
  }
  const { error, result, waiting = false } = state
  return (
    <dialog ref={dialog} aria-labelledby={titleId} onClose={() => !waiting && setState({})}>
      <form onSubmit={submit}>
        <h2 class="question" id={titleId}>
          {result === undefined ? title : done}
        </h2>
        {result ?? children}
        {error !== undefined && (
          <p class="failure" role="alert">
            {error}
          </p>
        )}
        <div class="answers">
          <button type="button" onClick={close}>
            {result === undefined ? keep : 'Close'}
          </button>
          {result === undefined && (
            <button type="submit" class={danger ? 'danger solid' : 'solid'} disabled={waiting}>
              {waiting ? going : go}
            </button>
          )}
        </div>
      </form>
    </dialog>
  )
}
