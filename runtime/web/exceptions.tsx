/** Why a job failed or was restarted: what was wrong, in which operator, and at which line of the author's. */
import type { Exceptions as Answer, ExceptionInfo } from '../rest/jobs-schemas.ts'
import type { LiveException } from '../rest/live-messages.ts'
import { usePolled } from './api.ts'
import { dateTime, shortName } from './format.ts'

const REFRESH_MS = 2000

/** What ended the attempt that ran last, with what failed because of it. */
export function LastFailure({ exceptions }: { exceptions: LiveException[] }) {
  const [root, ...later] = exceptions
  if (root === undefined) return null
  return (
    <div class="card failed" role="alert">
      <Failure exception={root} />
      <Others exceptions={later} />
    </div>
  )
}

interface HistoryProps {
  jobId: string
  numRestarts: number
  /** The job has failed for good. */
  failed: boolean
}

/** All that ended attempts of the job, the last one first. */
export function ExceptionHistory({ jobId, numRestarts, failed }: HistoryProps) {
  const { data, error } = usePolled<Answer>(`jobs/${jobId}/exceptions?maxExceptions=100`, REFRESH_MS)
  if (data === undefined) return <p class="empty">{error ?? ''}</p>
  const { entries } = data.exceptionHistory
  if (entries.length === 0)
    return (
      <div class="empty">
        <p>Nothing has failed.</p>
        <p>What ends an attempt is listed here, with its operator and the line of your code.</p>
      </div>
    )
  return (
    <>
      <p class="dim">
        {numRestarts === 0 ? 'Not restarted.' : `Restarted ${times(numRestarts)}.`}
        {failed && (
          <>
            {' '}
            <code>restart-strategy.type</code> decides {numRestarts === 0 && 'whether it is, and '}how often.
          </>
        )}
        {entries.length < numRestarts && ` The last ${entries.length} failures are kept.`}
      </p>
      {entries.map((one) => (
        <div class="card failed" key={`${one.timestamp} ${one.taskName}`}>
          <Failure exception={shown(one)} />
          <Others exceptions={one.concurrentExceptions.map(shown)} />
        </div>
      ))}
    </>
  )
}

export const times = (n: number) => (n === 1 ? 'once' : n === 2 ? 'twice' : `${n} times`)

function shown(info: ExceptionInfo): LiveException {
  return { ...info, stack: info.stacktrace }
}

function Others({ exceptions }: { exceptions: LiveException[] }) {
  if (exceptions.length === 0) return null
  return (
    <details>
      <summary>{exceptions.length} more while it was failing</summary>
      {exceptions.map((one) => (
        <Failure key={`${one.timestamp} ${one.taskName}`} exception={one} />
      ))}
    </details>
  )
}

function Failure({ exception }: { exception: LiveException }) {
  const { message, operator, location, taskName, code, timestamp, stack } = exception
  return (
    <article>
      <h2>{message}</h2>
      <dl>
        {operator !== null && <Fact name="Operator">{operator}</Fact>}
        {location !== null && (
          <Fact name="Line">
            <code>{location}</code>
          </Fact>
        )}
        <Fact name="Code">
          <code>{code}</code>
        </Fact>
        <Fact name="At">{dateTime(timestamp)}</Fact>
        {taskName !== null && <Fact name="Task">{shortName(taskName)}</Fact>}
      </dl>
      <details>
        <summary>Stack</summary>
        <pre>{stack}</pre>
      </details>
    </article>
  )
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
