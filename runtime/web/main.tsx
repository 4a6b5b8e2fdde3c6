/**
 * The page: the list of jobs, and one job live. It knows the cluster by REST alone; paths are relative to where it was loaded from,
 * and the place in it is in the URL's hash (`#/jobs/<id>/checkpoints`), so that any file server can serve it.
 */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Overview } from '../rest/cluster-schemas.ts'
import type { JobLine } from '../rest/jobs-schemas.ts'
import { usePolled } from './api.ts'
import { Header } from './header.tsx'
import { JobPage, VIEWS } from './job-page.tsx'
import { JobsPage } from './jobs-page.tsx'

const REFRESH_MS = 2000

function App() {
  const place = usePlace()
  const overview = usePolled<Overview>('overview', REFRESH_MS)
  const jobs = usePolled<{ jobs: JobLine[] }>('jobs/overview', REFRESH_MS)
  const list = jobs.data?.jobs
  const [, jobId, word] = /^#\/jobs\/([0-9a-f]{32})(?:\/(\w+))?$/i.exec(place) ?? []
  // Who has one job wants to see it.
  const only = place === '' && list?.length === 1 ? list[0]?.jid : undefined
  const shown = jobId ?? only
  return (
    <>
      <Header overview={overview.data} lost={overview.error !== undefined && overview.data !== undefined} />
      <main>
        {shown === undefined ? (
          <JobsPage jobs={list} error={jobs.error} />
        ) : (
          <JobPage
            key={shown}
            jobId={shown}
            view={VIEWS.find((view) => view === word) ?? 'overview'}
            line={list?.find(({ jid }) => jid === shown)}
          />
        )}
      </main>
    </>
  )
}

function usePlace(): string {
  const [place, setPlace] = useState(location.hash)
  useEffect(() => {
    const onChange = () => {
      setPlace(location.hash)
      scrollTo(0, 0)
    }
    addEventListener('hashchange', onChange)
    return () => removeEventListener('hashchange', onChange)
  }, [])
  return place
}

render(<App />, document.getElementById('app')!)
