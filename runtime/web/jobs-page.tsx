/** The list of jobs, the newest first. */
import type { JobLine } from '../rest/jobs-schemas.ts'
import { dateTime, duration } from './format.ts'
import { Status } from './status.tsx'

export function JobsPage({ jobs, error }: { jobs: JobLine[] | undefined; error: string | undefined }) {
  if (jobs === undefined) return error === undefined ? null : <p class="empty">{error}</p>
  if (jobs.length === 0) {
    return (
      <p class="empty">
        No jobs yet. Start one with <code>tailrace run job.ts</code>
      </p>
    )
  }
  return (
    <section>
      <h1>Jobs</h1>
      <div class="card scroll">
        <table class="jobs">
          <thead>
            <tr>
              <th>Name</th>
              <th>Status</th>
              <th class="num">Tasks</th>
              <th class="num">Duration</th>
              <th>Started</th>
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => (
              <tr key={job.jid}>
                <td>
                  <a class="cover" href={`#/jobs/${job.jid}`}>
                    {job.name}
                  </a>
                </td>
                <td>
                  <Status state={job.state} />
                </td>
                <td class="num">{tasks(job)}</td>
                <td class="num">{duration(job.duration)}</td>
                <td class="dim">{dateTime(job['start-time'])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function tasks({ tasks }: JobLine): string {
  const { total = 0, running = 0, finished = 0 } = tasks
  return running > 0 && running < total
    ? `${running} of ${total}`
    : finished > 0
      ? `${finished} of ${total}`
      : `${total}`
}
