/** The vertices of a job as a table; a row opens to its subtasks. */
import type { LiveNumbers, LivePlan, VertexNumbers } from '../rest/live-messages.ts'
import { bytes, count, dateTime, exact, percent, perSecond, shortName } from './format.ts'
import { Status } from './status.tsx'

interface Props {
  plan: LivePlan
  numbers: LiveNumbers
  selected: string | undefined
  onSelect(vertexId: string | undefined): void
}

export function VertexTable({ plan, numbers, selected, onSelect }: Props) {
  return (
    <div class="card scroll">
      <table class="vertices">
        <thead>
          <tr>
            <th>Vertex</th>
            <th>Status</th>
            <th class="num">Records in</th>
            <th class="num">Records out</th>
            <th class="num">Bytes out</th>
            <th class="num">Busy</th>
            <th class="num" title="Waiting for those downstream">
              Back-pressured
            </th>
            <th>Watermark</th>
          </tr>
        </thead>
        {plan.vertices.map(({ id, name, parallelism }, i) => {
          const of = numbers.vertices[i]!
          const open = selected === id
          return (
            <tbody key={id} class={open ? 'open' : ''}>
              <tr>
                <td>
                  <button
                    type="button"
                    class="cover"
                    aria-expanded={open}
                    onClick={() => onSelect(open ? undefined : id)}
                  >
                    {shortName(name)}
                  </button>{' '}
                  <span class="dim">×{parallelism}</span>
                </td>
                <td>
                  <Status state={of.state} />
                </td>
                <Amount value={of.recordsIn} rate={of.inPerSecond} ended={numbers.endTime >= 0} />
                <Amount value={of.recordsOut} rate={of.outPerSecond} ended={numbers.endTime >= 0} />
                <td class="num">{numbers.endTime < 0 ? `${bytes(of.bytesOutPerSecond)}/s` : bytes(of.bytesOut)}</td>
                <Share value={of.busy} kind="busy" />
                <Share value={of.backPressured} kind="blocked" />
                <td class="dim">{watermark(of)}</td>
              </tr>
              {open && of.subtasks !== undefined && <Subtasks subtasks={of.subtasks} />}
            </tbody>
          )
        })}
      </table>
    </div>
  )
}

export function watermark({ watermark }: VertexNumbers): string {
  return watermark === null ? 'none yet' : watermark === 'end' ? 'end' : dateTime(watermark)
}

function Amount({ value, rate, ended }: { value: number; rate: number; ended: boolean }) {
  if (ended) return <td class="num">{exact(value)}</td>
  return (
    <td class="num" title={exact(value)}>
      {perSecond(rate)}
      <small>{count(value)}</small>
    </td>
  )
}

function Share({ value, kind }: { value: number; kind: 'busy' | 'blocked' }) {
  return (
    <td class="num">
      {percent(value)}
      <span class={`meter ${kind}`}>
        <i style={{ width: `${Math.min(100, value * 100)}%` }} />
      </span>
    </td>
  )
}

function Subtasks({ subtasks }: { subtasks: NonNullable<VertexNumbers['subtasks']> }) {
  return (
    <>
      {subtasks.map(([inPerSecond, outPerSecond, busy, backPressured], i) => (
        <tr key={i} class="subtask">
          <td class="dim">subtask {i}</td>
          <td />
          <td class="num">{perSecond(inPerSecond)}</td>
          <td class="num">{perSecond(outPerSecond)}</td>
          <td />
          <Share value={busy} kind="busy" />
          <Share value={backPressured} kind="blocked" />
          <td />
        </tr>
      ))}
    </>
  )
}
