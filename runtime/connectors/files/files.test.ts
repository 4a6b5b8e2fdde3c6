import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { OutputTag } from '../../core/output-tag.ts'
import { types } from '../../core/types.ts'
import type { BadRecord } from '../../formats/bad-records.ts'
import { csv } from '../../formats/csv/index.ts'
import { jsonArray, jsonLines } from '../../formats/json/index.ts'
import { textLines } from '../../formats/text/index.ts'
import { Operator as SinkOperator } from '../../operators/sink.ts'
import { openOperator } from '../../testing/operator-context.ts'
import { sourceSuite } from '../source.suite.ts'
import { type DriverOptions, SourceDriver } from '../source-driver.ts'
import { type FileSourceOptions, fileSink, fileSource } from './index.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function directory(files: Record<string, string | Buffer> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'files-'))
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true })
    writeFileSync(join(path, name), content)
  }
  return path
}

async function read<T>(options: FileSourceOptions<T>, driverOptions?: DriverOptions): Promise<SourceDriver<T>> {
  const driver = new SourceDriver(fileSource(options), driverOptions)
  try {
    await driver.untilEnd()
  } finally {
    await driver.close()
  }
  return driver
}
const lines = async (options: Partial<FileSourceOptions<string>> & { path: FileSourceOptions<string>['path'] }) =>
  (await read({ format: textLines(), ...options })).values

const records = Array.from({ length: 60 }, (_, i) => ({ i, text: 'é'.repeat(i % 7) }))
const jsonl = records.map((r) => `${JSON.stringify(r)}\n`).join('')

sourceSuite('fileSource() of JSON lines in parts', () => ({
  source: fileSource({
    path: directory({ 'a.jsonl': jsonl.slice(0, 800), 'b.jsonl': jsonl.slice(800), c: '' }),
    format: jsonLines({ onError: 'skip' }),
    splitBytes: 200,
    chunkBytes: 64,
  }),
  expected: [jsonl.slice(0, 800), jsonl.slice(800)].flatMap((text) =>
    text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line)]
      } catch {
        return []
      }
    }),
  ),
  ordered: true,
}))

sourceSuite('fileSource() of a JSON array', () => ({
  source: fileSource({ path: directory({ 'a.json': JSON.stringify(records) }), format: jsonArray(), chunkBytes: 100 }),
  expected: records,
  ordered: true,
}))

sourceSuite('fileSource() of CSV', () => ({
  source: fileSource({
    path: directory({ 'a.csv': `i,text\n${records.map((r) => `${r.i},"${r.text}\n"`).join('\n')}` }),
    format: csv({ columns: types.row({ i: types.number, text: types.string }) }),
    chunkBytes: 100,
  }),
  expected: records.map(({ i, text }) => ({ i, text: `${text}\n` })),
  ordered: true,
}))

describe('fileSource()', () => {
  it('reads each line once wherever a file is cut, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '\r', 'x'.repeat(9)), maxLength: 6 }), { maxLength: 20 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        async (texts, closed, splitBytes, chunkBytes) => {
          const content = texts.join('\n') + (closed && texts.length > 0 ? '\n' : '')
          const path = directory({ f: content })
          const driver = await read({ path, format: textLines(), splitBytes, chunkBytes }, { parallelism: 2, max: 3 })
          const expected = content.split('\n').map((l) => l.replace(/\r$/, ''))
          if (content === '' || content.endsWith('\n')) expected.pop()
          // A \r before the end of the file, without a \n, is cut off as well.
          expect(driver.values.toSorted()).toEqual(expected.toSorted())
          rmSync(path, { recursive: true })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes a file, a directory, a pattern, a URL, and lists of them, each file once', async () => {
    const path = directory({
      'a.txt': '1\n',
      'b.log': '2',
      'sub/c.txt': '3\n',
      '.hidden': 'x',
      '_temporary/d.txt': 'x',
    })
    expect(await lines({ path })).toEqual(['1', '2', '3'])
    expect(await lines({ path: join(path, 'a.txt') })).toEqual(['1'])
    expect(await lines({ path: join(path, '.hidden') })).toEqual(['x'])
    expect(await lines({ path: join(path, '**/*.txt') })).toEqual(['1', '3'])
    expect(await lines({ path: pathToFileURL(join(path, 'b.log')) })).toEqual(['2'])
    expect(await lines({ path: [join(path, 'a.txt'), path] })).toEqual(['1', '2', '3'])
  })

  it.each([
    ['a file', 'nothing.txt', /no such file/],
    ['a pattern', '*.nothing', /no such file/],
  ])('fails when there is no such file: %s', async (_name, name, message) => {
    await expect(lines({ path: join(directory(), name) })).rejects.toThrow(message)
    await expect(lines({ path: join(directory(), name) })).rejects.toMatchObject({ code: 'TR-SOURCE-001' })
  })

  it('reads an empty directory and empty files as nothing', async () => {
    expect(await lines({ path: directory() })).toEqual([])
    expect(await lines({ path: directory({ a: '' }) })).toEqual([])
  })

  it('fails with the path when a file cannot be opened', async () => {
    const path = join(directory({ 'a.txt': '1\n' }), 'a.txt')
    const driver = new SourceDriver(fileSource({ path, format: textLines() }))
    await driver.until(() => driver.snapshot().splits.length > 0 || driver.values.length > 0)
    await driver.close()
    const restore = {
      enumerator: { pending: [{ id: 'x', path: `${path}.gone`, start: 0, end: null }], known: [], listed: true },
      splits: [],
    }
    const gone = new SourceDriver(fileSource({ path, format: textLines() }), { restore })
    await expect(gone.untilEnd()).rejects.toThrow(`Cannot read "${path}.gone": ENOENT`)
    await gone.close()
  })

  it('passes over a byte order mark', async () => {
    const path = directory({ a: Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('{"a":1}\n')]) })
    expect((await read({ path, format: jsonLines() })).values).toEqual([{ a: 1 }])
  })

  it('reads records longer than a chunk up to recordBytesMax, and refuses longer ones', async () => {
    const path = directory({ a: `${'x'.repeat(300_000)}\ny\n` })
    expect((await lines({ path, chunkBytes: 1000 })).map((l) => l.length)).toEqual([300_000, 1])
    await expect(lines({ path, chunkBytes: 1000, recordBytesMax: 100_000 })).rejects.toThrow(
      /longer than 100000 bytes.*recordBytesMax/,
    )
  })

  it('counts bad records and sends them to a side output with their file', async () => {
    const path = join(directory({ 'a.jsonl': '{"a":1}\nbad\n' }), 'a.jsonl')
    const driver = await read({ path, format: jsonLines({ onError: new OutputTag<BadRecord>('bad') }) })
    expect(driver.counters.get('numRecordsInErrors')).toBe(1)
    expect(driver.sides).toMatchObject([{ tagId: 'bad', value: { source: path, place: 'line 2', offset: 8 } }])
  })

  it('marks a split idle while it waits for the one before', async () => {
    const path = directory({ a: '1\n2\n3\n', b: '4\n' })
    const driver = new SourceDriver(fileSource({ path, format: textLines() }), { max: 1 })
    await driver.until(() => driver.values.length === 1)
    await driver.settle()
    driver.step()
    expect(driver.values).toEqual(['1', '2'])
    expect([...driver.readers[0]!.output.open]).toEqual([expect.stringMatching(/a:0$/), expect.stringMatching(/b:0$/)])
    expect([...driver.readers[0]!.output.idle]).toEqual([expect.stringMatching(/b:0$/)])
    await driver.untilEnd()
    expect(driver.values).toEqual(['1', '2', '3', '4'])
    await driver.close()
  })

  // Jobs that went on at another parallelism found the rest of a file late that another reader had begun, or a whole file that another had waiting, behind a later one.
  it('goes on with what several had in the order of finding, and lets begun splits hold the watermark back while they wait', async () => {
    const lineOf = (file: string) => Array.from({ length: 30 }, (_, i) => `${file}${i}\n`).join('')
    const path = directory({ a: lineOf('a'), b: lineOf('b'), c: 'c\n', d: 'd\n', e: 'e\n' })
    const source = fileSource({ path, format: textLines() })
    const two = new SourceDriver(source, { max: 1, parallelism: 2 })
    while (two.readers.some(({ output }) => output.values.length === 0)) {
      two.step()
      await two.settle()
    }
    const restore = two.snapshot()
    expect(restore.splits.filter((split) => 'offset' in split)).toHaveLength(2)
    expect(restore.splits).toHaveLength(4)
    restore.splits.reverse()
    const before = new Set(two.values)
    await two.close()
    const one = new SourceDriver(source, { max: 1, restore })
    await one.until(() => one.values.length === 1)
    const { open, idle } = one.readers[0]!.output
    // It has not asked for "e", which it does not need yet.
    const names = (ids: Set<string>) => [...ids].map((id) => id.slice(path.length + 1)).sort()
    expect(names(open)).toEqual(['a:0', 'b:0', 'c:0', 'd:0'])
    expect(names(idle)).toEqual(['c:0', 'd:0'])
    await one.untilEnd()
    const rest = [...lineOf('a').split('\n'), ...lineOf('b').split('\n')].filter(
      (line) => line !== '' && !before.has(line),
    )
    expect(one.values).toEqual([...rest, 'c', 'd', 'e'])
    await one.close()
  })

  it('finds new files when watching, once they have content, each once', async () => {
    const path = directory({ a: '1\n', empty: '' })
    const source = fileSource({ path, format: textLines(), watch: 5 })
    expect(source.boundedness).toBe('unbounded')
    const driver = new SourceDriver(source)
    await driver.until(() => driver.values.length === 1)
    writeFileSync(join(path, 'b'), '2\n')
    writeFileSync(join(path, 'empty'), '3\n')
    await driver.until(() => driver.values.length === 3)
    await driver.settle()
    expect(driver.values.toSorted()).toEqual(['1', '2', '3'])
    // Files of before are known after a restore.
    const restore = driver.snapshot()
    await driver.close()
    writeFileSync(join(path, 'c'), '4\n')
    const second = new SourceDriver(source, { restore })
    await second.until(() => second.values.length === 1)
    await second.settle()
    expect(second.values).toEqual(['4'])
    await second.close()
  })

  it('tells a reader once that there is nothing for it now, when watching', async () => {
    const path = directory({ a: '1\n' })
    const driver = new SourceDriver(fileSource({ path, format: textLines(), watch: 5 }), { parallelism: 2 })
    await driver.until(() => driver.noneNow.length === 2)
    await driver.settle()
    expect(driver.noneNow.toSorted()).toEqual([0, 1])
    writeFileSync(join(path, 'b'), '2\n')
    // Who gets it asks again.
    await driver.until(() => driver.noneNow.length === 3)
    expect(driver.values.toSorted()).toEqual(['1', '2'])
    await driver.close()
  })

  it('says nothing of the kind when it reads files once: they come, or there are no more', async () => {
    const driver = await read({ path: directory({ a: '1\n' }), format: textLines() }, { parallelism: 2 })
    expect(driver.noneNow).toEqual([])
  })

  it('waits for a watched directory that is not there yet', async () => {
    const path = join(directory(), 'later')
    const driver = new SourceDriver(fileSource({ path, format: textLines(), watch: 5 }))
    await driver.settle()
    mkdirSync(path)
    writeFileSync(join(path, 'a'), '1\n')
    await driver.until(() => driver.values.length === 1)
    await driver.close()
  })

  it('refuses options that cannot work', () => {
    const format = textLines()
    expect(() => fileSource({ path: [], format })).toThrow(/empty list/)
    expect(() => fileSource({ path: 'a', format: undefined as any })).toThrow(/decoding format/)
    expect(() => fileSource({ path: 'a', format, watch: 0 })).toThrow(/watch files every 0/)
    expect(() => fileSource({ path: 'a', format, splitBytes: 0 })).toThrow(/splitBytes/)
    expect(fileSource({ path: ['a', 'b'], format }).describe?.()).toBe('files(a, b)')
  })
})

describe('fileSink()', () => {
  const open = async (path: string, options: Partial<Parameters<typeof fileSink<any>>[0]> = {}, subtask = 0) => {
    const sink = fileSink<any>({ path, format: jsonLines(), ...options })
    return openOperator(new SinkOperator({ sink }), { subtask, parallelism: 2 })
  }

  it('writes one file per subtask that appears at the end', async () => {
    const path = join(directory(), 'new/out')
    const first = await open(path)
    const second = await open(path, {}, 1)
    for (let i = 0; i < 5; i++) first.operator.process({ i }, 0)
    second.operator.process({ i: 'é' }, 0)
    await first.operator.finish()
    expect(readdirSync(path)).toEqual(['part-0-0.jsonl'])
    await second.operator.finish()
    await first.operator.close()
    await second.operator.close()
    expect(readdirSync(path)).toEqual(['part-0-0.jsonl', 'part-1-0.jsonl'])
    expect(readFileSync(join(path, 'part-0-0.jsonl'), 'utf8')).toBe('{"i":0}\n{"i":1}\n{"i":2}\n{"i":3}\n{"i":4}\n')
    expect((await read({ path, format: jsonLines() })).values).toHaveLength(6)
  })

  it('never replaces a file, and writes none without records', async () => {
    const path = directory({ 'out-0-0.txt': 'old' })
    const one = await open(path, { format: textLines(), prefix: 'out' })
    one.operator.process('new', 0)
    await one.operator.finish()
    await one.operator.close()
    const none = await open(path, { format: textLines(), prefix: 'out' })
    await none.operator.finish()
    await none.operator.close()
    expect(readdirSync(path)).toEqual(['out-0-0.txt', 'out-0-1.txt'])
    expect(readFileSync(join(path, 'out-0-0.txt'), 'utf8')).toBe('old')
  })

  it('leaves nothing behind when the task failed', async () => {
    const path = directory()
    const { operator } = await open(path)
    operator.process({ text: 'x'.repeat(100_000) }, 0)
    await operator.close()
    expect(readdirSync(path)).toEqual([])
  })

  it('says pending while more waits for the disk than allowed, and wakes the task after', async () => {
    const { operator, context } = await open(directory(), { bufferBytesMax: 100_000 })
    expect(operator.pending()).toBe(false)
    for (let i = 0; i < 4; i++) operator.process({ text: 'x'.repeat(50_000) }, 0)
    expect(operator.pending()).toBe(true)
    await operator.finish()
    expect(operator.pending()).toBe(false)
    expect(context.wakes).toBeGreaterThan(0)
    await operator.close()
  })

  it('fails with the directory when it cannot write', async () => {
    const path = join(directory({ file: 'x' }), 'file/out')
    const { operator, context } = await open(path)
    operator.process({ a: 1 }, 0)
    await expect(operator.finish()).rejects.toMatchObject({ code: 'TR-SINK-001' })
    expect(context.failures).toHaveLength(1)
    await operator.close()
  })

  it('refuses options that cannot work', () => {
    expect(() => fileSink({ path: 'a', format: {} as any })).toThrow(/encoding format/)
    expect(() => fileSink({ path: 'a', format: jsonLines(), prefix: '.x' })).toThrow(/prefix/)
    expect(fileSink({ path: '/out', format: csv() }).describe?.()).toBe('files(/out)')
  })
})
