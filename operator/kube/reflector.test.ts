/** Reflectors by seeds: an API server in memory, over ways that take time and break, and time that passes as fast as it is run. */
import { describe, expect, it } from 'vitest'
import { SeededTime } from '../../runtime/checkpoint/seeded-time.suite.ts'
import { ApiServer } from './api-server.suite.ts'
import { byLabel } from './cache.ts'
import { KubeClient } from './client.ts'
import { type KubeObject, keyOf, RESOURCES } from './objects.ts'
import { Reflector, type ReflectorOptions } from './reflector.ts'

const { configMaps } = RESOURCES
const NAMESPACES = ['a', 'b', 'c']

function world(seed: number, options: Partial<ReflectorOptions<KubeObject>> = {}) {
  const time = new SeededTime(seed)
  const { schedule, random } = time
  const server = new ApiServer({ clock: time, schedule })
  const transport = server.transport(() => time.below(20))
  const client = new KubeClient({ transport, schedule, random, monotonic: () => time.monotonic() })
  const warnings: string[] = []
  const warn = (text: string) => warnings.push(text)
  const common = { client, resource: configMaps, clock: time, schedule, random, warn }
  const reflector = new Reflector({ ...common, ...options })
  const put = (namespace: string, name: string, value: string) =>
    server.put(configMaps, { metadata: { namespace, name, labels: { value } }, data: { value } })
  return { time, server, client, warnings, reflector, put }
}

/** What a listener has been told, held to the rule that each key goes forward. */
function record(reflector: Reflector) {
  const versions = new Map<string, number>()
  const there = new Map<string, string>()
  const violations: string[] = []
  let told = 0
  const hear = (what: string, { metadata }: KubeObject) => {
    told++
    const key = keyOf(metadata)
    const version = Number(metadata.resourceVersion)
    if (version < (versions.get(key) ?? 0)) violations.push(`${what} ${key} of ${version} after ${versions.get(key)}`)
    versions.set(key, version)
    return key
  }
  reflector.cache.listen({
    changed: (object, before) => {
      const key = hear('changed', object)
      if (there.get(key) === object.metadata.resourceVersion) violations.push(`${key} was told twice`)
      if (there.get(key) !== before?.metadata.resourceVersion) violations.push(`${key} had another before`)
      if (before !== undefined && before.metadata.uid !== object.metadata.uid) violations.push(`${key} is another`)
      there.set(key, object.metadata.resourceVersion!)
    },
    deleted: (object) => {
      const key = hear('deleted', object)
      if (!there.delete(key)) violations.push(`${key} was deleted and not there`)
    },
  })
  return { violations, there, told: () => told }
}

const contents = (objects: readonly KubeObject[]) =>
  objects.map(({ metadata, data }) => `${keyOf(metadata)}@${metadata.resourceVersion}=${data.value}`).toSorted()

describe('Reflector', () => {
  const seeds = Array.from({ length: 40 }, (_, i) => i + 1)
  it.each(seeds)('ends with what the server has, and tells each key forward only (seed %i)', async (seed) => {
    const namespaces = seed % 3 === 0 ? ['a', 'b'] : undefined
    const { time, server, reflector, put } = world(seed, { namespaces, silenceMs: 20_000 })
    for (let i = 0; i < 20 + time.below(1_500); i++) put(NAMESPACES[time.below(3)], `c-${i}`, '0')
    const heard = record(reflector)
    let hazards = true
    server.fault = ({ verb }) => {
      if (!hazards) return undefined
      if (time.chance(0.1)) return 'cutBefore'
      if (time.chance(0.05)) return 'hang'
      if (time.chance(0.05)) return { status: time.chance(0.5) ? 500 : 429, retryAfter: 1 }
      return verb === 'list' && time.chance(0.05) ? 'cutAfter' : undefined
    }
    const work = async () => {
      reflector.start()
      for (let step = 0; step < 150; step++) {
        await time.wait(time.below(2_000))
        const at = { namespace: NAMESPACES[time.below(3)], name: `c-${time.below(40)}` }
        if (time.chance(0.6)) put(at.namespace, at.name, String(step))
        else server.remove(configMaps, at)
        if (time.chance(0.05)) server.endWatches((['peace', 'cut', 'deaf', 'gone'] as const)[time.below(4)])
        if (time.chance(0.05)) server.compact()
        if (time.chance(0.1)) server.bookmark()
      }
      hazards = false
      await time.wait(120_000)
      const isSeen = ({ metadata }: KubeObject) => namespaces?.includes(metadata.namespace!) ?? true
      expect(contents(reflector.cache.list())).toEqual(contents(server.list(configMaps).filter(isSeen)))
      expect(heard.there.size).toBe(reflector.cache.size)
      expect(heard.violations).toEqual([])
      expect(reflector.isSynced).toBe(true)
      reflector.stop()
      const before = heard.told()
      put('a', 'late', '1')
      await time.wait(700_000)
      expect(heard.told()).toBe(before)
    }
    const done = work()
    await time.run(done)
    await done
  })

  it('opens quiet watches again at once, for 300 to 600 seconds, and relists nothing', async () => {
    const { time, server, reflector, put, warnings } = world(7)
    const minutely = () => {
      server.bookmark()
      time.schedule(60_000, minutely)
    }
    minutely()
    const asked: { at: number; seconds: number; verb: string }[] = []
    server.fault = ({ verb, query }) => {
      asked.push({ at: time.monotonic(), seconds: Number(query.get('timeoutSeconds')), verb })
      return undefined
    }
    const work = async () => {
      reflector.start()
      await time.wait(6 * 3_600_000)
      const watches = asked.filter(({ verb }) => verb === 'watch')
      expect(asked).toHaveLength(watches.length + 1)
      for (const [i, { at, seconds }] of watches.entries()) {
        expect(seconds).toBeGreaterThanOrEqual(300)
        expect(seconds).toBeLessThanOrEqual(600)
        if (i > 0) expect(at - (watches[i - 1].at + watches[i - 1].seconds * 1000)).toBeLessThan(200)
      }
      expect(new Set(watches.map(({ seconds }) => seconds)).size).toBeGreaterThan(10)
      expect(reflector.silentMs).toBeLessThan(61_000)
      // Its version is that of the last bookmark: it goes on although older ones are gone.
      server.compact()
      server.endWatches('cut')
      await time.wait(10_000)
      put('a', 'x', '1')
      await time.wait(1_000)
      expect(reflector.cache.size).toBe(1)
      expect(asked.filter(({ verb }) => verb === 'list')).toHaveLength(1)
      expect(warnings).toHaveLength(1)
      reflector.stop()
    }
    const done = work()
    await time.run(done)
    await done
  })

  it('waits longer and longer while it fails, says each problem once, and is heard to be silent', async () => {
    const { time, server, reflector, warnings } = world(8)
    const at: number[] = []
    server.fault = () => {
      at.push(time.monotonic())
      return { status: 403 }
    }
    const work = async () => {
      reflector.start()
      await time.wait(600_000)
      const waits = at.slice(1).map((ms, i) => ms - at[i])
      expect(Math.max(...waits)).toBeLessThan(31_000)
      expect(waits.at(-1)).toBeGreaterThan(15_000)
      expect(at.length).toBeLessThan(50)
      expect(warnings).toEqual([expect.stringContaining('Cannot list the configmaps of all namespaces: ')])
      expect(reflector.silentMs).toBe(Infinity)
      server.fault = () => undefined
      await time.wait(40_000)
      expect(reflector.isSynced).toBe(true)
      expect(reflector.silentMs).toBeLessThan(40_000)
      reflector.stop()
    }
    const done = work()
    await time.run(done)
    await done
  })

  it.each(['peace', 'gone', 'cut'] as const)('does not storm a server that ends watches at once (%s)', async (how) => {
    const { time, server, reflector } = world(9)
    let watches = 0
    server.fault = ({ verb }) => {
      if (verb !== 'watch') return undefined
      watches++
      time.schedule(30, () => server.endWatches(how))
      return undefined
    }
    const work = async () => {
      reflector.start()
      await time.wait(60_000)
      expect(watches).toBeLessThan(15)
      reflector.stop()
    }
    const done = work()
    await time.run(done)
    await done
  })
})

describe('Cache', () => {
  it('finds by indexes, and tells those who come later what is there', async () => {
    const { time, reflector, put, server } = world(10, { indexes: { value: byLabel('value') } })
    const work = async () => {
      reflector.start()
      put('a', 'x', 'red')
      put('a', 'y', 'red')
      await reflector.synced
      await time.wait(1_000)
      const names = (value: string) => reflector.cache.by('value', `a/${value}`).map(({ metadata }) => metadata.name)
      expect(names('red')).toEqual(['x', 'y'])
      put('a', 'x', 'blue')
      server.remove(configMaps, { namespace: 'a', name: 'y' })
      await time.wait(1_000)
      expect([names('red'), names('blue')]).toEqual([[], ['x']])
      const { there } = record(reflector)
      expect([...there.keys()]).toEqual(['a/x'])
      expect(() => reflector.cache.by('other', '')).toThrow(TypeError)
      expect(reflector.cache.get('a/x')!.metadata.managedFields).toBeUndefined()
      reflector.stop()
    }
    const done = work()
    await time.run(done)
    await done
  })
})
