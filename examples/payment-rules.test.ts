import { WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
import { MiniCluster } from 'tailrace/testing'
import { expect, test } from 'vitest'
import { applies, type Payment, payment, type Rule, rule } from './payment-rules.ts'

/** What the program's sources give, without the rest of the program. */
async function generated(payments: number, rules: number): Promise<{ payments: Payment[]; rules: Rule[] }> {
  const cluster = await MiniCluster.start()
  const all = { payments: [] as Payment[], rules: [] as Rule[] }
  await cluster.runProgram(async (env) => {
    const read = <T>(generate: (index: number, random: () => number) => T, count: number) =>
      env
        .fromSource(dataGenSource({ generate, seed: 3, count }), WatermarkStrategy.noWatermarks<T>(), 'all')
        .executeAndCollect()
    all.payments = await read(payment, payments)
    all.rules = await read(rule, rules)
  })
  await cluster.stop()
  return all
}

test.each([1, 2])(
  'payment rules at parallelism %i: every payment meets every rule that looks back so far, in whatever order they come',
  async (p) => {
    // 20 minutes of payments, and rules that have an id each: none is replaced.
    const { payments, rules } = await generated(6000, 4)
    const wanted = payments.flatMap((payment) =>
      rules.filter((rule) => applies(rule, payment)).map((rule) => `${payment.account} #${payment.n} ${rule.id}`),
    )
    expect(wanted.length).toBeGreaterThan(100)
    const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
    try {
      const { printed } = await cluster.runProgram(new URL('./payment-rules.ts', import.meta.url), {
        parameters: { payments: '6000', rules: '4', seed: '3', rate: '20000' },
        options: { 'parallelism.default': String(p), 'pipeline.auto-watermark-interval': '5 ms' },
      })
      const alerts = printed.map((line) => {
        const [, account, n, id] = /(a-\d+) paid \d+, (#\d+): above \d+ \((r\d)\)$/.exec(line)!
        return `${account} ${n} ${id}`
      })
      expect(alerts.sort()).toEqual(wanted.sort())
    } finally {
      await cluster.stop()
    }
  },
)
