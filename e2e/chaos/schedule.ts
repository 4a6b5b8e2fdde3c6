/**
 * What happens to a run, and when: everything follows from its seed. The last life of the process ends by itself; what was to come after that end does not happen.
 */
import { between, pick, type Random } from './random.ts'

/**
 * From files to files. `slot`: threads of slots end. `process`: the process is killed, too. `store`: it all lies in S3, which fails, too.
 *
 * From Kafka to Kafka. `kafka`: the process and threads of slots are killed. `broker`: the broker is killed, too, and started again. `network`: connections to it are cut, fall
 * silent, or are slow.
 */
export type Kind = (typeof FILE_KINDS)[number] | (typeof KAFKA_KINDS)[number]
export const FILE_KINDS = ['slot', 'process', 'store'] as const
export const KAFKA_KINDS = ['kafka', 'broker', 'network'] as const
export const KINDS: readonly Kind[] = [...FILE_KINDS, ...KAFKA_KINDS]
export const isOfKafka = (kind: Kind): boolean => (KAFKA_KINDS as readonly Kind[]).includes(kind)

/** What hits something else than the process: whoever runs it does. */
export type OutsideBlow = 'broker' | 'cut' | 'silent' | 'slow'

/** Counted from the start of the process, from where the job begins, or from where its n-th checkpoint (of this life) appears in the store. */
export type Moment = { since: 'spawn' | 'job'; ms: number } | { since: 'checkpoint'; nth: number; ms: number }

export interface Blow {
  what: 'slot' | 'process' | OutsideBlow
  at: Moment
  /** Which of the slots that there are. */
  slot: number
}

/** One process, from its start to its end. */
export interface Life {
  parallelism: number
  blows: Blow[]
}

export interface Chaos {
  kind: Kind
  intervalMs: number
  lives: Life[]
}

const PARALLELISM_MAX = 3
const PROCESS_KILLS_MAX = 4

export function makeChaos(random: Random, kind: Kind): Chaos {
  const outside = outsideBlows(kind)
  const kills = kind === 'slot' ? 0 : outside.length > 0 ? between(random, 0, 1) : between(random, 2, PROCESS_KILLS_MAX)
  const rescales = random() < 0.5
  const lives = Array.from({ length: kills + 1 }, (_, life): Life => {
    const blows: Blow[] = []
    const slots = kind === 'slot' ? between(random, 3, 5) : between(random, 0, 1)
    for (let i = 0; i < slots; i++) blows.push({ what: 'slot', at: moment(random, kind), slot: between(random, 0, 9) })
    // A broker that was killed needs its time to come back.
    const strikes = outside.length === 0 ? 0 : kind === 'broker' ? 1 : between(random, 2, 5)
    for (let i = 0; i < strikes; i++) blows.push({ what: pick(random, outside), at: moment(random, kind), slot: 0 })
    if (life < kills) blows.push({ what: 'process', at: moment(random, kind), slot: 0 })
    return { parallelism: rescales ? between(random, 1, PARALLELISM_MAX) : 2, blows }
  })
  return { kind, intervalMs: kind === 'store' ? 100 : pick(random, [100, 150, 200]), lives }
}

const outsideBlows = (kind: Kind): readonly OutsideBlow[] =>
  kind === 'broker' ? ['broker'] : kind === 'network' ? ['cut', 'cut', 'silent', 'slow'] : []

/** Half of them where it hurts the most: about the moment in which a checkpoint becomes complete. */
function moment(random: Random, kind: Kind): Moment {
  const place = random()
  if (place < 0.5)
    return { since: 'checkpoint', nth: between(random, 1, kind === 'slot' ? 8 : 3), ms: between(random, 0, 12) }
  // While it starts, goes on from a checkpoint, or claims.
  if (place < 0.6 && kind !== 'slot') return { since: 'spawn', ms: between(random, 150, 600) }
  return { since: 'job', ms: between(random, 0, kind === 'slot' ? 1800 : 700) }
}

/** `slot 1 at job+250 ms`. */
export function describeBlow({ what, at, slot }: Blow): string {
  const since = at.since === 'checkpoint' ? `checkpoint#${at.nth}` : at.since
  return `${what}${what === 'slot' ? ` ${slot}` : ''} at ${since}+${at.ms} ms`
}

export function describeChaos({ kind, intervalMs, lives }: Chaos): string {
  const lines = lives.map(({ parallelism, blows }, i) => {
    const text = blows.length === 0 ? 'nothing' : blows.map(describeBlow).join(', ')
    return `    process ${i + 1}, parallelism ${parallelism}: ${text}`
  })
  return [`  ${kind}, a checkpoint every ${intervalMs} ms`, ...lines].join('\n')
}
