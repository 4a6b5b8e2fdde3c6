import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ConfigurationSources, loadConfiguration } from './load.ts'
import { PENDING } from './pending.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'tailrace-config-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

function write(path: string, text: string): string {
  const whole = join(cwd, path)
  mkdirSync(dirname(whole), { recursive: true })
  writeFileSync(whole, text)
  return whole
}

const load = (sources: ConfigurationSources = {}) => loadConfiguration({ cwd, ...sources })
const valuesOf = async (yaml: string, sources: ConfigurationSources = {}) => {
  write('conf/config.yaml', yaml)
  return (await load(sources)).values
}
/** Notes without the directory of the test. */
const notesOf = async (yaml: string, sources: ConfigurationSources = {}, level = 'warn') => {
  write('conf/config.yaml', yaml)
  const { notes } = await load(sources)
  return notes.filter((note) => note.level === level).map(({ text }) => text.replaceAll(`${join(cwd, 'conf')}/`, ''))
}
const refusal = async (yaml: string, sources: ConfigurationSources = {}) => {
  write('conf/config.yaml', yaml)
  const error = await load(sources).then(
    () => undefined,
    (thrown) => thrown,
  )
  return { code: error?.code, message: error?.message.replaceAll(`${join(cwd, 'conf')}/`, '') }
}

describe('config.yaml', () => {
  it('is nested, flat or mixed', async () => {
    const yaml = [
      'parallelism.default: 4',
      'execution:',
      '  checkpointing:',
      '    interval: 10s',
      '    min-pause: "5 s"',
      '  checkpointing.mode: AT_LEAST_ONCE',
      'state.checkpoints:',
      '  dir: s3://bucket/a#b # a comment',
      'restart-strategy:',
      '  type: fixed-delay',
      '  fixed-delay: { attempts: 3, delay: 1 s }',
    ].join('\n')
    expect(await valuesOf(yaml)).toEqual({
      'parallelism.default': '4',
      'execution.checkpointing.interval': '10s',
      'execution.checkpointing.min-pause': '5 s',
      'execution.checkpointing.mode': 'AT_LEAST_ONCE',
      'execution.checkpointing.dir': 's3://bucket/a#b',
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': '3',
      'restart-strategy.fixed-delay.delay': '1 s',
    })
  })

  it('keeps texts as they are, and leaves out what has no value', async () => {
    expect(await valuesOf('my: {a: 1.0, b: 007, c: ~, d: , e: "", f: yes, g: 0x10, h: [1.50, "x;y"]}')).toEqual({
      'my.a': '1.0',
      'my.b': '007',
      'my.e': '',
      'my.f': 'yes',
      'my.g': '0x10',
      'my.h': "1.50;'x;y'",
    })
  })

  it('takes lists and maps as YAML has them, and as one text', async () => {
    const yaml = [
      'user.artifacts:',
      '  artifact-list:',
      '    - s3://a/b.tgz',
      '    - https://c/d.tgz',
      '  http-headers:',
      '    accept: a,b',
      '    x-key: v',
    ].join('\n')
    const values = {
      'user.artifacts.artifact-list': 's3://a/b.tgz;https://c/d.tgz',
      'user.artifacts.http-headers': "'accept:a,b',x-key:v",
    }
    expect(await valuesOf(yaml)).toEqual(values)
    const text = Object.entries(values).map(([key, value]) => `${key}: "${value}"`)
    expect(await valuesOf(text.join('\n'))).toEqual(values)
  })

  it('sets one of a map by a key of its own', async () => {
    const yaml = 'user.artifacts.http-headers.b: 2\nuser.artifacts.http-headers: "a:1,b:1"'
    expect(await valuesOf(yaml, { properties: { 'user.artifacts.http-headers.c': '3' } })).toEqual({
      'user.artifacts.http-headers': 'a:1,b:2,c:3',
    })
  })

  it('may be empty, and have anchors', async () => {
    expect(await valuesOf('# nothing\n')).toEqual({})
    expect(await valuesOf('my.a: &x {k: 1}\nmy.b: *x')).toEqual({ 'my.a.k': '1', 'my.b.k': '1' })
  })

  it.each([
    ['a: [1', 'config.yaml:'],
    ['a: 1\na: 2', 'config.yaml:2: it is no YAML'],
    ['- a\n- b', 'config.yaml:1: it is no mapping'],
    ['just words', 'config.yaml:1: it is no mapping'],
    ['a: 1\n---\nb: 2', 'a second document'],
    ['a: *nobody', 'nobody'],
    ['a: &a\n  b: *a', 'levels'],
    ['x: &x {k: 1}\ny:\n  <<: *x', '<< is not understood'],
    ['a: [[1]]', 'a list lies in a list'],
  ])('is refused as %j', async (yaml, text) => {
    const { code, message } = await refusal(yaml)
    expect(code).toBe('TR-CONFIG-002')
    expect(message).toContain(text)
  })
})

describe('flink-conf.yaml', () => {
  it('has lines, which need be no YAML', async () => {
    const path = write(
      'old/flink-conf.yaml',
      'state.backend: filesystem # heap\nenv.java.opts.all: -Dx="a: b" * @\nstate.checkpoints.dir: "s3://b/c"\nempty:\nno line\n',
    )
    const { values, notes, file } = await load({ directory: 'old' })
    expect(file).toBe(path)
    expect(values).toEqual({
      'state.backend': 'filesystem',
      'env.java.opts.all': '-Dx="a: b" * @',
      'execution.checkpointing.dir': 's3://b/c',
    })
    expect(notes.filter(({ level }) => level === 'warn').map(({ text }) => text)).toEqual([
      `${path}:5 is left out: it is no "key: value"`,
      expect.stringContaining('the backend on disk is not there yet'),
    ])
  })

  it('gives way to config.yaml, with a warning', async () => {
    write('both/flink-conf.yaml', 'parallelism.default: 1')
    write('both/config.yaml', 'parallelism.default: 2')
    const { values, notes } = await load({ directory: 'both' })
    expect(values).toEqual({ 'parallelism.default': '2' })
    expect(notes).toEqual([{ level: 'warn', text: expect.stringContaining('flink-conf.yaml is left out') }])
  })
})

describe('the place of the file', () => {
  const nameOf = async (sources: ConfigurationSources) => (await load(sources)).values['pipeline.name']

  it('is what is given, then TAILRACE_CONF_DIR, then FLINK_CONF_DIR, then conf', async () => {
    for (const name of ['given', 'tailrace', 'flink', 'conf']) write(`${name}/config.yaml`, `pipeline.name: ${name}`)
    const environment = { TAILRACE_CONF_DIR: 'tailrace', FLINK_CONF_DIR: join(cwd, 'flink') }
    expect(await nameOf({ directory: 'given', environment })).toBe('given')
    expect(await nameOf({ environment })).toBe('tailrace')
    expect(await nameOf({ environment: { ...environment, TAILRACE_CONF_DIR: '' } })).toBe('flink')
    expect(await nameOf({})).toBe('conf')
    expect(await nameOf({ file: write('one.yaml', 'pipeline.name: one') })).toBe('one')
  })

  it('need not be there when nobody names it', async () => {
    expect(await load()).toEqual({ values: {}, file: undefined, notes: [] })
  })

  it.each([
    [{ directory: 'nowhere' }, /nowhere: it has neither/],
    [{ environment: { FLINK_CONF_DIR: 'nowhere' } }, /\(FLINK_CONF_DIR\)/],
    [{ file: 'nothing.yaml' }, /nothing\.yaml/],
  ])('is refused when it is named and not there: %j', async (sources, text) => {
    await expect(load(sources)).rejects.toMatchObject({ code: 'TR-CONFIG-002', message: expect.stringMatching(text) })
  })
})

describe('what wins', () => {
  it('is -D over TAILRACE_PROPERTIES over FLINK_PROPERTIES over the file, in any spelling', async () => {
    const yaml = 'my: {a: file, b: file, c: file, d: file}\nstate.checkpoints.num-retained: 2'
    const environment = {
      FLINK_PROPERTIES: 'my.b: flink\nmy.c: flink\nmy.d: flink\n\nparallelism.default: 3',
      TAILRACE_PROPERTIES: 'my.c: tailrace\nmy.d: tailrace\nexecution.checkpointing.num-retained: 3',
    }
    const properties = { 'my.d': '-D', 'state.checkpoints.num-retained': '4' }
    expect(await valuesOf(yaml, { environment, properties })).toEqual({
      'my.a': 'file',
      'my.b': 'flink',
      'my.c': 'tailrace',
      'my.d': '-D',
      'parallelism.default': '3',
      'execution.checkpointing.num-retained': '4',
    })
  })

  it('is the newest of two spellings, with a warning when they differ', async () => {
    const yaml = 'state.checkpoints.num-retained: 2\nexecution.checkpointing.num-retained: 3'
    expect(await valuesOf(yaml)).toEqual({ 'execution.checkpointing.num-retained': '3' })
    expect(await notesOf(yaml)).toEqual([
      'execution.checkpointing.num-retained (config.yaml:2) and state.checkpoints.num-retained (config.yaml:1) are two names of one setting: the first one holds',
    ])
    expect(await notesOf(yaml.replace('2', '3'))).toEqual([])
  })

  it('is left to who reads it, where the wrong one of two would be a wrong state', async () => {
    const both = { 'execution.savepoint.path': '/a', 'execution.state-recovery.path': '/b' }
    expect((await load({ properties: both })).values).toEqual(both)
    const same = { 'execution.savepoint.path': '/a', 'execution.state-recovery.path': '/a' }
    expect((await load({ properties: same })).values).toEqual({ 'execution.state-recovery.path': '/a' })
  })

  it('is the last of a key that is given twice', async () => {
    const yaml = 'parallelism: {default: 1}\nparallelism.default: 2'
    expect(await valuesOf(yaml)).toEqual({ 'parallelism.default': '2' })
    expect(await notesOf(yaml)).toEqual([
      'parallelism.default is given twice: config.yaml:2 holds, and not config.yaml:1',
    ])
  })

  it('is an empty -D, which takes a value away', async () => {
    const values = await valuesOf('parallelism.default: 2', { properties: { 'parallelism.default': '' } })
    expect(values).toEqual({})
  })

  it('sets two options by the older name of both', async () => {
    expect((await load({ properties: { 'web.port': '1' } })).values).toEqual({
      'rest.port': '1',
      'rest.bind-port': '1',
    })
  })
})

describe('${NAME}', () => {
  const environment = { HOST: 'minio', EMPTY: '', KEY: '$&${HOST}' }

  it.each([
    ['http://${HOST}:9000', 'http://minio:9000'],
    ['${HOST}${ HOST }', 'miniominio'],
    ['${NONE:-a:-b}', 'a:-b'],
    ['${EMPTY:-b}', 'b'],
    ['${HOST:-b}', 'minio'],
    ['$${HOST} $HOST', '${HOST} $HOST'],
    ['${KEY}', '$&${HOST}'],
  ])('stands for the environment: %s', async (text, value) => {
    expect(await valuesOf(`s3.endpoint: "${text}"`, { environment })).toEqual({ 's3.endpoint': value })
    expect(
      (await load({ file: write('none.yaml', ''), properties: { 's3.endpoint': text }, environment })).values,
    ).toEqual({ 's3.endpoint': value })
  })

  it.each([
    [
      'a: 1\ns3.secret-key: ${S3_KEY}',
      'Cannot use "${S3_KEY}" for s3.secret-key (config.yaml:2): the environment has no S3_KEY; set it, or write ${S3_KEY:-otherwise}',
    ],
    ['my.key: ${EMPTY}', 'has no EMPTY'],
    ['my.key: ${1}', '"${1}" names no variable'],
    ['my.secret: ${hunter 2}', 'Cannot use "******" for my.secret (config.yaml:1): "******" names no variable'],
  ])('is refused when it has no value: %j', async (yaml, text) => {
    const { code, message } = await refusal(yaml, { environment })
    expect(code).toBe('TR-CONFIG-001')
    expect(message).toContain(text)
  })
})

describe('values', () => {
  it.each([
    [
      'parallelism.default: 0',
      'Cannot use "0" for parallelism.default (config.yaml:1): a whole number from 1 to 32768 is wanted',
    ],
    [
      '\nexecution:\n  checkpointing:\n    interval: soon',
      'Cannot use "soon" for execution.checkpointing.interval (config.yaml:4): a duration',
    ],
    ['state.checkpoints.num-retained: none', 'for state.checkpoints.num-retained (config.yaml:1)'],
    ['jobmanager.memory.flink.size: much', 'for jobmanager.memory.flink.size (config.yaml:1): a size'],
    ['high-availability: zookeeper', 'one of none, file, kubernetes is wanted'],
    ['execution.runtime-mode: BATCH', 'jobs run as streams'],
    ['security.ssl.rest.enabled: true', 'without TLS'],
    ['taskmanager.memory.process.size: 1m', '128m or more'],
  ])('are refused where they are given: %j', async (yaml, text) => {
    const { code, message } = await refusal(yaml)
    expect(code).toBe('TR-CONFIG-001')
    expect(message).toContain(text)
  })

  it('are refused in -D and the environment, too', async () => {
    await expect(load({ properties: { 'rest.port': 'x' } })).rejects.toThrow('Cannot use "x" for rest.port (-D)')
    const environment = { FLINK_PROPERTIES: 'rest.port: x' }
    await expect(load({ environment })).rejects.toThrow('rest.port (FLINK_PROPERTIES)')
  })

  it('that ask for nothing are taken', async () => {
    const yaml = 'execution.runtime-mode: streaming\nsecurity.ssl.rest.enabled: false'
    expect(await notesOf(yaml)).toEqual([])
  })
})

describe('notes', () => {
  it('name the key that may be meant', async () => {
    expect(await notesOf('parallelism.defualt: 4\nmy.own: x')).toEqual([
      'parallelism.defualt (config.yaml:1) is not known: is parallelism.default meant?',
      'my.own (config.yaml:2) is not known',
    ])
    expect(await notesOf('', { properties: { 'state.checkpoint.dir': '/x' } })).toEqual([
      'state.checkpoint.dir (-D) is not known: is state.checkpoints.dir meant?',
    ])
  })

  it('say what is decided elsewhere', async () => {
    expect(await notesOf('kubernetes.cluster-id: a\nhigh-availability.magic: b')).toEqual([
      expect.stringMatching(/^kubernetes\.cluster-id \(config\.yaml:1\) has no effect: /),
      expect.stringMatching(/^high-availability\.magic \(config\.yaml:2\) has no effect: /),
    ])
  })

  it('keep what is usual for debug', async () => {
    const yaml = 'env.java.opts.all: -Xmx1g\nstate.checkpoints.dir: /a'
    expect(await notesOf(yaml)).toEqual([])
    expect(await notesOf(yaml, {}, 'debug')).toEqual([
      expect.stringContaining('env.java.opts.all (config.yaml:1) has no effect: There is no JVM'),
      'state.checkpoints.dir (config.yaml:2) is an older name of execution.checkpointing.dir',
    ])
  })

  it('come once for a key, and for each one that nothing reads yet', async () => {
    const [pending] = [...PENDING].filter((key) => key === 'heartbeat.rpc-failure-threshold')
    if (pending !== undefined)
      expect(await notesOf(`${pending}: 3`, { properties: { [pending]: '4' } })).toEqual([
        `${pending} (config.yaml:1) has no effect yet`,
      ])
    expect(await notesOf('my.key: 3', { properties: { 'my.key': '4' } })).toEqual([
      'my.key (config.yaml:1) is not known',
    ])
  })
})
