/** The bar on top: what this is, slots, jobs, version. */
import { useState } from 'preact/hooks'
import type { Overview } from '../rest/cluster-schemas.ts'

export function Header({ overview, lost }: { overview: Overview | undefined; lost: boolean }) {
  return (
    <header class="bar">
      <a class="brand" href="#/jobs">
        <Mark />
        Tailrace
      </a>
      {lost && <span class="lost">connection lost, trying again</span>}
      {overview !== undefined && (
        <div class="facts">
          <Slots total={overview['slots-total']} free={overview['slots-available']} />
          <span class="version">v{overview['tailrace-version']}</span>
        </div>
      )}
      <Theme />
    </header>
  )
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M5 11.5c4-4 7-4 11 0s7 4 11 0M5 17.5c4-4 7-4 11 0s7 4 11 0M5 23.5c4-4 7-4 11 0s7 4 11 0" />
    </svg>
  )
}

/** Beyond this many a row of boxes says less than numbers. */
const BOXES_MAX = 16

function Slots({ total, free }: { total: number; free: number }) {
  const busy = total - free
  return (
    <span class="slots" title={`${busy} of ${total} slots are in use`}>
      {total <= BOXES_MAX && (
        <span class="boxes" aria-hidden="true">
          {Array.from({ length: total }, (_, i) => (
            <i key={i} class={i < busy ? 'on' : ''} />
          ))}
        </span>
      )}
      {busy}/{total} slots
    </span>
  )
}

/** Light, dark, or as the system has it. */
function Theme() {
  const [theme, setTheme] = useState(() => localStorage.getItem('theme') ?? '')
  document.documentElement.dataset.theme = theme
  const dark = theme === '' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark'
  const turn = () => {
    const next = dark ? 'light' : 'dark'
    localStorage.setItem('theme', next)
    setTheme(next)
  }
  return (
    <button type="button" class="theme" onClick={turn} aria-label={dark ? 'Light colours' : 'Dark colours'}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        {dark ? (
          <path d="M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z" />
        ) : (
          <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" />
        )}
      </svg>
    </button>
  )
}
