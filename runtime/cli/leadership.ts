/**
 * How a JobManager comes to lead: at once where there is no high availability, by its election where there is. Until then it says who leads, by RPC and REST.
 */
import type { ErrorData } from '../core/errors.ts'
import { endedBefore } from '../processes/earlier-run.ts'
import { HighAvailability, type Leadership } from '../processes/high-availability.ts'
import type { JobManagerPort } from '../processes/jobmanager-port.ts'
import { parseAddress } from '../processes/leader-address.ts'
import { startStandbyRest } from '../rest/standby.ts'
import type { ClusterSettings } from './settings.ts'

export interface LeadOptions {
  port: JobManagerPort
  settings: ClusterSettings
  /** Where TaskManagers reach this process. */
  host: string
  environment: Readonly<Record<string, string | undefined>>
  /** Another leads, or this process cannot say that it does: it must end at once, and change nothing. */
  onLost(why: string): void
  log(text: string): void
}

export interface Candidacy {
  /** Resolves when this process leads; `restPorts` are those that REST is to have. */
  led: Promise<{ leadership: Leadership; restPorts: string | undefined }>
  /** Of the program of the cluster, when its earlier run had come to its end before this process was started. */
  endedBefore: number | undefined
  /** undefined: there is no high availability. */
  availability: HighAvailability | undefined
}

/** @param programId of the application */
export async function standForElection(options: LeadOptions, programId: string): Promise<Candidacy> {
  const { port, settings, host, environment, onLost, log } = options
  const { options: configuration, restPorts } = settings
  const availability = await HighAvailability.open({ configuration, environment, log })
  if (availability === undefined) {
    // Above that of whoever led before, unless the clock was set back.
    const leadership: Leadership = { epoch: Date.now(), lead: 'started', refuseUnlessLeader: () => {} }
    return { led: Promise.resolve({ leadership, restPorts }), endedBefore: undefined, availability }
  }
  const before = await ended(availability, programId, log)
  let leader: string | undefined
  const rest =
    restPorts === undefined
      ? undefined
      : await startStandbyRest({ port: restPorts, host: settings.restAddress, leader: () => leader })
  const stopWatching = availability.election.watch((now) => {
    // What it needs when it leads: then every moment counts. One that leads at once has more urgent things to do.
    if (now !== undefined && now.identity !== availability.identity) void loadServers()
    leader = now && `"${now.identity}" at ${now.address}`
    port.follow(now && parseAddress(now.address))
    if (now?.identity !== availability.identity) log(leader === undefined ? 'Nobody leads' : `The leader is ${leader}`)
  })
  log(`Stands by as "${availability.identity}" (${availability.election.place})`)
  const led = availability.campaign({ host, port: port.toldPort }, onLost).then(async (leadership) => {
    stopWatching()
    await rest?.close()
    log(`Leads as "${availability.identity}" with epoch ${leadership.epoch}`)
    return { leadership, restPorts: rest === undefined ? undefined : String(rest.port) }
  })
  return { led, endedBefore: before, availability }
}

/** The modules of what onlookers ask; a failure is told when they are used. */
async function loadServers(): Promise<void> {
  await Promise.all([
    import('../rest/server.ts'),
    import('../metrics/server.ts'),
    import('../metrics/reader.ts'),
  ]).catch(() => {})
}

/** A process that is started when the application has ended in peace is to run it again; one that stood by is not. */
async function ended(
  availability: HighAvailability,
  programId: string,
  log: (text: string) => void,
): Promise<number | undefined> {
  try {
    return endedBefore(await availability.registry(), programId)
  } catch (error) {
    // It is being written: then there is a leader, and nothing has ended in peace.
    log((error as ErrorData).message)
    return undefined
  }
}
