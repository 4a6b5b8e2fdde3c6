/** Asking the cluster: answers that are fetched again and again, and the live numbers of a job. */
import { useEffect, useState } from 'preact/hooks'
import type { LiveNumbers, LivePlan } from '../rest/live-messages.ts'

export interface Polled<T> {
  /** The last answer; it stays while later ones fail. */
  data?: T
  /** Why the last try failed. */
  error?: string
}

/** Fetches now, then every `everyMs`, until an answer is the `last` one (undefined: it was an error); not while the page is hidden. */
export function usePolled<T>(
  path: string,
  everyMs: number,
  last: (data: T | undefined) => boolean = () => false,
): Polled<T> {
  const [state, setState] = useState<Polled<T>>({})
  useEffect(() => {
    let stopped = false
    let timer: number | undefined
    const again = async () => {
      if (!document.hidden) {
        const next = await fetchJson<T>(path).then(
          (data): Polled<T> => ({ data }),
          (error: Error): Polled<T> => ({ error: error.message }),
        )
        if (!stopped) setState((before) => ({ ...before, error: undefined, ...next }))
        if (last(next.data)) return
      }
      if (!stopped) timer = setTimeout(again, everyMs) as unknown as number
    }
    again()
    return () => {
      stopped = true
      clearTimeout(timer)
    }
  }, [path, everyMs])
  return state
}

/** The answer of a path, or an error with the cluster's own words. */
export async function fetchJson<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, init).catch(() => {
    throw new Error('The cluster does not answer')
  })
  const body = (await response.json().catch(() => undefined)) as { errors?: string[] } | undefined
  if (response.ok) return body as T
  throw new Error(body?.errors?.join('\n') ?? `The cluster answered ${response.status}`)
}

/** How many seconds of numbers the page remembers for its small charts. */
const HISTORY = 90

export interface Live {
  plan?: LivePlan
  /** Oldest first; the last one is now. */
  numbers: LiveNumbers[]
  /** The connection is down and is being tried again. */
  lost: boolean
  /** The cluster refused, in its words. */
  error?: string
}

/** Follows a job until it ends. A connection that breaks is taken up again by the browser. */
export function useLive(jobId: string): Live {
  const [live, setLive] = useState<Live>({ numbers: [], lost: false })
  useEffect(() => {
    const source = new EventSource(`jobs/${jobId}/live`)
    source.addEventListener('plan', ({ data }) => {
      const plan = JSON.parse(data) as LivePlan
      setLive((last) => ({ ...last, plan, lost: false, error: undefined }))
    })
    source.addEventListener('numbers', ({ data }) => {
      const numbers = JSON.parse(data) as LiveNumbers
      setLive((last) => ({ ...last, numbers: [...last.numbers.slice(1 - HISTORY), numbers], lost: false }))
    })
    source.addEventListener('end', () => source.close())
    source.addEventListener('error', () => {
      setLive((last) => ({ ...last, lost: true }))
      if (source.readyState !== EventSource.CLOSED) return
      fetchJson(`jobs/${jobId}`).catch((error: Error) => setLive((last) => ({ ...last, error: error.message })))
    })
    return () => source.close()
  }, [jobId])
  return live
}

export function cancelJob(jobId: string): Promise<unknown> {
  return fetchJson(`jobs/${jobId}?mode=cancel`, { method: 'PATCH' })
}
