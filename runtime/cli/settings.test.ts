import { describe, expect, it } from 'vitest'
import { parseProperty, type RunFlags, resolveSettings } from './settings.ts'

const resolve = (flags: Partial<RunFlags>) => resolveSettings({ web: true, config: {}, ...flags })

describe('resolveSettings()', () => {
  it.each([
    [{ parallelism: '4' }, 4, '4'],
    [{ slots: '3' }, 3, '3'],
    [{ parallelism: '2', slots: '5' }, 5, '2'],
    [{ config: { 'parallelism.default': '6' } }, 6, '6'],
    [{ config: { 'taskmanager.numberOfTaskSlots': '7' } }, 7, '7'],
    [{ parallelism: '1', config: { 'parallelism.default': '6' } }, 1, '1'],
  ] as [Partial<RunFlags>, number, string][])('%j gives %i slots at parallelism %s', (flags, slots, parallelism) => {
    const settings = resolve(flags)
    expect([settings.slots, settings.options['parallelism.default']]).toEqual([slots, parallelism])
  })

  it('has a default for everything', () => {
    const settings = resolve({})
    expect([1, 2]).toContain(settings.slots)
    expect(settings).toMatchObject({
      restPorts: '8081-8099',
      metricsPorts: '9249-9269',
      restAddress: '127.0.0.1',
      slotHeapMb: undefined,
      timeouts: {},
    })
  })

  it('takes ports from flags, then from keys', () => {
    const config = { 'rest.port': '1', 'metrics.reporter.prom.port': '2', 'rest.bind-address': '0.0.0.0' }
    expect(resolve({ config })).toMatchObject({ restPorts: '1', metricsPorts: '2', restAddress: '0.0.0.0' })
    expect(resolve({ config, port: '3', metricsPort: '4' })).toMatchObject({ restPorts: '3', metricsPorts: '4' })
    expect(resolve({ config, web: false }).restPorts).toBeUndefined()
  })

  it.each([
    ['512m', 512],
    ['2g', 2048],
    ['2 gb', 2048],
    ['1024mb', 1024],
    ['64mib', 64],
    ['67108864', 64],
    ['65536k', 64],
  ])('reads %s of heap as %i MiB', (text, mb) => {
    expect(resolve({ config: { 'taskmanager.memory.task.heap.size': text } }).slotHeapMb).toBe(mb)
  })

  it('reads timeouts', () => {
    const config = {
      'slot.deploy.timeout': '5 s',
      'task.cancellation.timeout': '250',
      'jobstore.max-capacity': '9',
      'rest.async.store-duration': '1 min',
    }
    expect(resolve({ config })).toMatchObject({
      timeouts: { deployMs: 5000, cancelMs: 250 },
      historyMax: 9,
      operationKeptMs: 60_000,
    })
  })

  it.each([
    [{ parallelism: '0' }, 'TR-CLI-001', '--parallelism'],
    [{ slots: 'many' }, 'TR-CLI-001', '--slots'],
    [{ config: { 'parallelism.default': '1.5' } }, 'TR-CONFIG-001', 'parallelism.default'],
    [{ config: { 'taskmanager.memory.task.heap.size': '1m' } }, 'TR-CONFIG-001', '16m or more'],
    [{ config: { 'taskmanager.memory.task.heap.size': 'much' } }, 'TR-CONFIG-001', '"much"'],
    [{ config: { 'slot.deploy.timeout': 'soon' } }, 'TR-CONFIG-001', 'slot.deploy.timeout'],
  ] as [Partial<RunFlags>, string, string][])('refuses %j with %s', (flags, code, text) => {
    expect(() => resolve(flags)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(text) }))
  })
})

describe('parseProperty()', () => {
  it('adds one to those before it', () => {
    expect(parseProperty('a.b=c=d', { x: '1' })).toEqual({ x: '1', 'a.b': 'c=d' })
    expect(parseProperty(' key = value ')).toEqual({ key: 'value' })
  })

  it.each(['key', '=value', ''])('refuses "%s"', (text) => {
    expect(() => parseProperty(text)).toThrow(expect.objectContaining({ code: 'TR-CLI-001' }))
  })
})
