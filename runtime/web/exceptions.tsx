/** Why a job failed: what was wrong, in which operator, and at which line of the author's. */
import type { LiveException } from '../rest/live-messages.ts'
import { shortName, time } from './format.ts'

export function Exceptions({ exceptions }: { exceptions: LiveException[] }) {
  const [root, ...later] = exceptions
  if (root === undefined) return null
  return (
    <div class="card failed" role="alert">
      <Failure exception={root} />
      {later.length > 0 && (
        <details>
          <summary>{later.length} more while it was failing</summary>
          {later.map((one) => (
            <Failure key={`${one.timestamp} ${one.taskName}`} exception={one} />
          ))}
        </details>
      )}
    </div>
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
        {taskName !== null && <Fact name="Task">{shortName(taskName)}</Fact>}
        <Fact name="Code">
          <code>{code}</code>
        </Fact>
        <Fact name="At">{time(timestamp)}</Fact>
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
