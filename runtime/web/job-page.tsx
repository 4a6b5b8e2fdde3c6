/** One job: how it is, its graph with rates and its vertices; its checkpoints; why it failed or was restarted. */
import { useState } from 'preact/hooks'
import type { JobLine } from '../rest/jobs-schemas.ts'
import type { LiveNumbers, LivePlan } from '../rest/live-messages.ts'
import { type Live, useLive } from './api.ts'
import { Checkpoints } from './checkpoints.tsx'
import { ExceptionHistory, LastFailure, times } from './exceptions.tsx'
import { ago, date, dateTime, duration, exact, percent, perSecond, shortName, time } from './format.ts'
import { Graph } from './graph.tsx'
import { JobActions } from './job-actions.tsx'
import { Status } from './status.tsx'
import { Tile } from './tile.tsx'
import { VertexTable } from './vertex-table.tsx'

/** What is shown of a job; the overview has no word in the URL. */
export const VIEWS = ['overview', 'checkpoints', 'exceptions'] as const
export type View = (typeof VIEWS)[number]

export function JobPage({ jobId, view, line }: { jobId: string; view: View; line: JobLine | undefined }) {
  const live = useLive(jobId)
  const { plan, numbers } = live
  const now = numbers.at(-1)
  if (live.error !== undefined) return <p class="empty">{live.error}</p>
  if (plan === undefined || now === undefined)
    return <p class="empty">{live.lost ? 'The cluster does not answer' : ''}</p>
  const status = (live.lost ? undefined : now.status) ?? line?.state ?? now.status
  const running = status === 'RUNNING' || status === 'CREATED' || status === 'INITIALIZING' || status === 'RESTARTING'
  document.title = `${plan.name} · Tailrace`
  return (
    <section>
      <div class="title">
        <div>
          <a class="back" href="#/jobs">
            Jobs
          </a>
          <h1>{plan.name}</h1>
          <p class="about">
            <Status state={status} />
            <span>{duration((now.endTime < 0 ? now.now : now.endTime) - now.startTime)}</span>
            {now.numRestarts > 0 && <a href={`#/jobs/${jobId}/exceptions`}>restarted {times(now.numRestarts)}</a>}
            {now.lastCheckpoint !== null && (
              <a href={`#/jobs/${jobId}/checkpoints`}>checkpoint {ago(now.now - now.lastCheckpoint.timestamp)}</a>
            )}
            <span class="wide">since {dateTime(now.startTime)}</span>
            <code class="wide" title="Job id">
              {jobId}
            </code>
          </p>
        </div>
        <JobActions jobId={jobId} name={plan.name} running={running} />
      </div>
      <nav class="tabs" aria-label="Views of the job">
        {VIEWS.map((one) => (
          <a
            key={one}
            href={one === 'overview' ? `#/jobs/${jobId}` : `#/jobs/${jobId}/${one}`}
            aria-current={one === view ? 'page' : undefined}
          >
            {one}
          </a>
        ))}
      </nav>
      {view === 'overview' && <Overview plan={plan} live={live} now={now} failing={FAILING.includes(status)} />}
      {view === 'checkpoints' && <Checkpoints plan={plan} now={now.now} running={running} />}
      {view === 'exceptions' && (
        <ExceptionHistory jobId={jobId} numRestarts={now.numRestarts} failed={status === 'FAILED'} />
      )}
    </section>
  )
}

/** Why it failed matters as long as it has not come back. */
const FAILING: readonly string[] = ['FAILING', 'FAILED', 'RESTARTING']

interface OverviewProps {
  plan: LivePlan
  live: Live
  now: LiveNumbers
  failing: boolean
}

function Overview({ plan, live, now, failing }: OverviewProps) {
  const [selected, setSelected] = useState<string>()
  return (
    <>
      {failing && <LastFailure exceptions={now.exceptions} />}
      <Tiles plan={plan} live={live} now={now} />
      <Graph plan={plan} numbers={now} selected={selected} onSelect={setSelected} />
      <VertexTable plan={plan} numbers={now} selected={selected} onSelect={setSelected} />
    </>
  )
}

/** The job in four numbers: in, out, the busiest vertex, event time. Once it has ended, what it did in all. */
function Tiles({ plan, live, now }: { plan: LivePlan; live: Live; now: LiveNumbers }) {
  const sources = plan.vertices.flatMap(({ isSource }, i) => (isSource ? [i] : []))
  const sinks = plan.vertices.flatMap(({ isSink }, i) => (isSink ? [i] : []))
  const most = now.vertices.reduce((best, { busy }, i) => (busy > now.vertices[best]!.busy ? i : best), 0)
  const late = now.vertices.reduce((sum, { lateDropped }) => sum + lateDropped, 0)
  const took = now.endTime - now.startTime
  return (
    <div class="tiles">
      <Records label="Records in" live={live} now={now} places={sources} rate="inPerSecond" total="recordsIn" />
      <Records label="Records out" live={live} now={now} places={sinks} rate="outPerSecond" total="recordsOut" />
      {now.endTime < 0 ? (
        <Tile
          label="Busiest"
          value={percent(now.vertices[most]?.busy ?? 0)}
          note={shortName(plan.vertices[most]?.name ?? '')}
          chart={live.numbers.map((one) => Math.max(0, ...one.vertices.map(({ busy }) => busy)))}
          max={1}
        />
      ) : (
        <Tile label="Took" value={duration(took)} note={`ended ${dateTime(now.endTime)}`} />
      )}
      <EventTime now={now} late={late} />
    </div>
  )
}

interface RecordsProps {
  label: string
  live: Live
  now: LiveNumbers
  /** Of the vertices that are summed up. */
  places: number[]
  rate: 'inPerSecond' | 'outPerSecond'
  total: 'recordsIn' | 'recordsOut'
}

function Records({ label, live, now, places, rate, total }: RecordsProps) {
  const sum = (of: LiveNumbers, name: typeof rate | typeof total) =>
    places.reduce((all, i) => all + (of.vertices[i]?.[name] ?? 0), 0)
  const all = sum(now, total)
  if (now.endTime >= 0) {
    const mean = (all * 1000) / Math.max(1, now.endTime - now.startTime)
    return <Tile label={label} value={exact(all)} note={`${perSecond(mean)} on average`} />
  }
  return (
    <Tile
      label={label}
      value={perSecond(sum(now, rate))}
      note={`${exact(all)} so far`}
      chart={live.numbers.map((one) => sum(one, rate))}
    />
  )
}

/** How far event time has come everywhere: the least watermark. */
function EventTime({ now, late }: { now: LiveNumbers; late: number }) {
  const marks = now.vertices.map(({ watermark }) => watermark)
  const least = marks.reduce<number | 'end' | null>((a, b) => (a === null || b === null ? null : lesser(a, b)), 'end')
  const note = late > 0 ? `${exact(late)} late records dropped` : 'no late records dropped'
  if (least === null) return <Tile label="Event time" value="–" note="no watermark yet" />
  if (least === 'end') return <Tile label="Event time" value="end" note={`all input is done, ${note}`} />
  return <Tile label="Event time" value={time(least)} note={`${date(least)}, ${note}`} />
}

function lesser(a: number | 'end', b: number | 'end'): number | 'end' {
  if (a === 'end') return b
  return b === 'end' ? a : Math.min(a, b)
}
