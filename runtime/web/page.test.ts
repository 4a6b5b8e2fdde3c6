/**
 * A real browser opens the page on a real cluster. Needs Chromium: CHROMIUM says where it is, else it is looked for where systems
 * put it. Without one the tests are skipped with a line; with TAILRACE_REQUIRE_ALL=1 they fail.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildWeb } from '../../scripts/web-build.ts'
import { type RestServer, startRest } from '../rest/server.ts'
import { MiniCluster } from '../testing/mini-cluster.ts'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const chromiumPath = [process.env.CHROMIUM, ...PLACES].find((path) => path !== undefined && existsSync(path))

/** Runs until it is cancelled: a source, a keyed sum in two subtasks, a sink, in event time of 2001. */
const CLICKS = `
import { WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

export default async function main(env) {
  env.setParallelism(2)
  const clicks = env
    .fromSource(
      dataGenSource({ generate: (i) => ({ page: 'page ' + (i % 7), n: 1, at: 1e12 + i * 1000 }), recordsPerSecond: 2000 }),
      WatermarkStrategy.forMonotonousTimestamps().withTimestampAssigner((click) => click.at),
      'clicks',
    )
    .setParallelism(1)
  const sums = clicks.keyBy((click) => click.page).sum('n').name('sum by page')
  sums.filter((click) => click.n % 500 === 0).name('round ones').setParallelism(1).print().setParallelism(1)
  await env.execute('page clicks')
}
`
/** Its fourth line throws. */
const AIRPORTS = `
export default async function main(env) {
  env.fromSequence(1, 1000).map((n) => {
    if (n === 500) throw new RangeError('no such airport: XYZ')
    return n
  }).name('look up airport').print()
  await env.execute('airports')
}
`

/** Fails once, behind its first checkpoint and unless there is a file, and goes on from it until it is stopped. */
const SHOPS = `
import { existsSync, writeFileSync } from 'node:fs'
import { WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

export default async function main(env) {
  env
    .fromSource(dataGenSource({ generate: (i) => i, recordsPerSecond: 500 }), WatermarkStrategy.noWatermarks(), 'orders')
    .map((n) => {
      if (n > 250 && !existsSync(env.args[0])) {
        writeFileSync(env.args[0], '')
        throw new RangeError('no such shop: 251')
      }
      return n
    })
    .name('look up shop')
    .keyBy((n) => n % 7)
    .sum()
    .print()
  await env.execute('orders of shops')
}
`

function mayRun(): boolean {
  if (chromiumPath !== undefined) return true
  const text = 'page: there is no browser; install one (apt-get install chromium) or set CHROMIUM to its path'
  if (process.env.TAILRACE_REQUIRE_ALL === '1') throw new Error(text)
  console.log(`${text} (skipped)`)
  return false
}

describe.skipIf(!mayRun())('the page', () => {
  let cluster: MiniCluster
  let rest: RestServer
  let browser: Browser
  let page: Page
  const problems: string[] = []
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-page-'))

  const program = (name: string, source: string) => {
    writeFileSync(join(folder, name), source)
    return join(folder, name)
  }

  beforeAll(async () => {
    buildWeb({ ifStale: true })
    const { chromium } = await import('playwright-core')
    cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
    rest = await startRest({ dispatcher: cluster.view, port: 0 })
    browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox'] })
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    page.setDefaultTimeout(12_000)
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(rest.url)) problems.push(`asks ${request.url()}`)
    })
  }, 60_000)

  afterAll(async () => {
    await browser?.close()
    await rest?.close()
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Waits for a text that fits. */
  const shows = (selector: string, pattern: RegExp) => page.locator(selector, { hasText: pattern }).first().waitFor()

  test('says how to start a job while there is none', async () => {
    await page.goto(rest.url)
    await shows('.empty', /No jobs yet/)
    await shows('.slots', /0\/2 slots/)
  })

  test('draws the only job live, and cancels it after asking', async () => {
    const ended = cluster.runProgram(program('clicks.mjs', CLICKS)).catch((error: Error) => error)
    await shows('h1', /page clicks/)
    const vertices = page.locator('svg .vertex')
    await vertices.nth(2).waitFor()
    expect(await vertices.count()).toBe(3)
    expect(await page.locator('svg .flow').count()).toBe(2)
    await shows('.vertex .rate.in', /[1-9].*\/s/)
    await shows('.flow.moving .rate', /[1-9].*\/s/)
    await shows('.vertex .mark', /2001/)
    await shows('.tile', /Records in.*[1-9].*\/s/)
    await shows('.status', /running/)

    await vertices.nth(1).click()
    await shows('.subtask', /subtask 1/)

    await page.getByRole('link', { name: 'exceptions' }).click()
    await shows('.empty', /Nothing has failed/)
    await page.getByRole('link', { name: 'checkpoints' }).click()
    await shows('.empty', /No checkpoints.*Set execution\.checkpointing\.interval/)
    await shows('.settings', /Mode.*exactly once.*Directory.*in memory.*Savepoint directory.*none/)
    await page.getByRole('button', { name: 'Savepoint', exact: true }).click()
    await page.getByRole('button', { name: 'Take savepoint' }).click()
    await shows('dialog[open] .failure', /nothing says where to; wanted: target-directory/)
    await page.getByRole('button', { name: 'Not now' }).click()

    await page.getByRole('button', { name: 'Cancel job' }).click()
    await shows('dialog[open]', /its checkpoints are deleted/)
    await page.getByRole('button', { name: 'Keep it running' }).click()
    await shows('.status', /running/)
    await page.getByRole('button', { name: 'Cancel job' }).click()
    await page.locator('dialog').getByRole('button', { name: 'Cancel job' }).click()
    await shows('.about .status', /cancelled/)
    expect(String(await ended)).toMatch(/cancel/i)
    await page.getByRole('button', { name: 'Cancel job' }).waitFor({ state: 'detached' })
  })

  test('shows what failed, in which operator, and at which line of the author', async () => {
    await cluster.runProgram(program('airports.mjs', AIRPORTS)).catch(() => {})
    await page.goto(`${rest.url}/#/jobs`)
    await page.getByRole('link', { name: 'airports' }).click()
    await shows('.failed h2', /no such airport: XYZ/)
    await shows('.failed dd', /look up airport/)
    await shows('.failed dd', /airports\.mjs:4:\d+/)
    await shows('.about .status', /failed/)
  })

  test('tells why checkpoints fail, and opens one by its reason', async () => {
    const directory = join(folder, 'checkpoints')
    const options = {
      'execution.checkpointing.interval': '200 ms',
      'execution.checkpointing.dir': directory,
      'execution.checkpointing.tolerable-failed-checkpoints': '1000',
    }
    const file = program('boxes.mjs', SHOPS.replace('orders of shops', 'orders in boxes'))
    const ended = cluster.runProgram(file, { args: [file], options }).catch((error: Error) => error)
    await page.goto(`${rest.url}/#/jobs`)
    await page.getByRole('link', { name: 'orders in boxes' }).click()
    await page.getByRole('link', { name: 'checkpoints', exact: true }).click()
    await shows('.checkpoints tbody', /completed.*deleted/s)
    rmSync(directory, { recursive: true })
    writeFileSync(directory, 'no directory any more')
    await shows('.checkpoints tbody', /failed.*Cannot .*checkpoints\/.*: a part of the path is a file/s)
    await shows('.tile', /Completed.*[1-9]\d* failed/)
    // Rows move down as others come; there is one like it at its place then.
    await page.locator('.reason').first().click({ force: true })
    await shows('.checkpoints tbody.open', /failed.*Source: orders/s)
    await page.getByRole('button', { name: 'Cancel job' }).click()
    await page.locator('dialog').getByRole('button', { name: 'Cancel job' }).click()
    await shows('.about .status', /cancelled/)
    await ended
  }, 30_000)

  test('shows checkpoints and what a job came back from, and stops it with a savepoint', async () => {
    const options = {
      'execution.checkpointing.interval': '200 ms',
      'execution.checkpointing.savepoint-dir': join(folder, 'savepoints'),
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.delay': '1 ms',
    }
    const args = [join(folder, 'failed')]
    const ended = cluster.runProgram(program('shops.mjs', SHOPS), { args, options }).catch((error: Error) => error)
    await page.goto(`${rest.url}/#/jobs`)
    await page.getByRole('link', { name: 'orders of shops' }).click()
    await page.getByRole('link', { name: 'restarted once' }).click()
    await shows('.failed h2', /no such shop: 251/)
    await shows('.failed dd', /shops\.mjs:12:\d+/)
    await shows('.failed dd', /look up shop.*\(1\/1\)/)
    await shows('section > p', /Restarted once\./)
    expect(await page.locator('.failed').count()).toBe(1)
    await shows('.about .status', /running/)

    await page.getByRole('link', { name: 'checkpoints', exact: true }).click()
    await shows('.facts-list', /A failure goes back to checkpoint #\d+, taken at/)
    await shows('.facts-list', /Restored from checkpoint #\d+/)
    await shows('.checkpoints tbody', /#\d+checkpoint.*completed.*\d ms.*2 of 2/s)
    const newest = () => page.locator('.checkpoints .cover').first().textContent()
    const first = await newest()
    await expect.poll(newest, { timeout: 12_000 }).not.toBe(first)
    // Rows move down as others come.
    await page.locator('.checkpoints .cover').first().dispatchEvent('click')
    await shows('.checkpoints .subtask', /Source: orders.*sync \d+ ms/s)
    await shows('.settings', /Interval200 ms.*Savepoint directory.*savepoints/s)

    await page.getByRole('button', { name: 'Savepoint', exact: true }).click()
    await page.locator('dialog[open] input').fill(join(folder, 'elsewhere'))
    await page.keyboard.press('Enter')
    await shows('dialog[open] .path', /elsewhere\/savepoint-/)
    await page.getByRole('button', { name: 'Close' }).click()
    await shows('.tile', /Last savepoint#\d+.*savepoint-/)

    await page.getByRole('button', { name: 'Stop with savepoint' }).click()
    await page.locator('dialog[open] input[type=text]').fill('ftp://nowhere')
    await page.getByRole('button', { name: 'Stop job' }).click()
    await shows('dialog[open] .failure', /ftp/)
    await page.getByRole('button', { name: 'Keep it running' }).click()
    await shows('.about .status', /running/)
    await page.getByRole('button', { name: 'Stop with savepoint' }).click()
    await page.locator('dialog[open] input[type=text]').fill('')
    await page.getByRole('button', { name: 'Stop job' }).click()
    await shows('dialog[open] .path', /savepoints\/savepoint-/)
    await page.getByRole('button', { name: 'Close' }).click()
    await shows('.about .status', /finished/)
    expect(await page.getByRole('button', { name: 'Savepoint' }).count()).toBe(0)
    expect(await ended).toMatchObject({ results: [{ jobName: 'orders of shops' }] })
  }, 30_000)

  test('fits a phone, and turns dark', async () => {
    await page.setViewportSize({ width: 390, height: 844 })
    const overflow = () => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
    await page.locator('.checkpoints').waitFor()
    expect(await overflow()).toBe(0)
    await page.getByRole('link', { name: 'exceptions' }).click()
    await page.locator('.failed').waitFor()
    expect(await overflow()).toBe(0)
    await page.getByRole('link', { name: 'overview' }).click()
    await page.locator('svg .vertex').first().waitFor()
    expect(await overflow()).toBe(0)
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const before = await ground()
    await page.getByRole('button', { name: 'Dark colours' }).click()
    expect(await ground()).not.toBe(before)
  })

  test('an unknown job is an answer, not an empty page', async () => {
    await page.goto(`${rest.url}/#/jobs/${'0'.repeat(32)}`)
    await shows('.empty', /knows no job of this id/)
    // The browser reports refused requests of its own accord: this one, and the savepoint without a directory.
    const own = problems.filter((text) => !/status of 40[04]/.test(text))
    expect(own).toEqual([])
  })
})
