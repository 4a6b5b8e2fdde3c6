/** A process of its own that campaigns by a lock file and does what its parent asks, if its guard lets it: `node candidate.suite.ts DIRECTORY IDENTITY`, with a channel to the parent. */
import { randomUUID } from 'node:crypto'
import { systemClock, systemSchedule } from '../core/clock.ts'
import type { LeaseTiming, Term } from './election.ts'
import { openElection } from './lease-election.ts'
import { openLockFile } from './object-lease.ts'

export const TEST_TIMING: LeaseTiming = { leaseMs: 2_500, renewDeadlineMs: 2_000, retryMs: 150 }

export type FromCandidate =
  | { type: 'elected'; epoch: number }
  | { type: 'lost'; kind: string; epoch: number }
  /** What came of `act`. */
  | { type: 'acted'; epoch: number }
  | { type: 'refused'; code: string }

export type ToCandidate = 'act' | 'release'

if (import.meta.main) {
  const [directory = '', identity = ''] = process.argv.slice(2)
  const tell = (message: FromCandidate) => process.send!(message)
  const warn = () => {}
  const store = await openLockFile(directory, { pollMs: 50, warn })
  const options = { timing: TEST_TIMING, clock: systemClock, schedule: systemSchedule, random: Math.random, warn }
  const election = openElection({ store, ...options })
  let term: Term | undefined
  election.campaign(
    { identity, startId: randomUUID(), address: `${identity}:6123` },
    {
      elected(elected) {
        term = elected
        tell({ type: 'elected', epoch: term.epoch })
      },
      lost: ({ kind }, { epoch }) => tell({ type: 'lost', kind, epoch }),
    },
  )
  process.on('message', (asked: ToCandidate) => {
    if (asked === 'release') return void election.close().then(() => process.disconnect())
    try {
      term!.refuseUnlessLeader('act')
      tell({ type: 'acted', epoch: term!.epoch })
    } catch (error) {
      tell({ type: 'refused', code: (error as { code: string }).code })
    }
  })
}
