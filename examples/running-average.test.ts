import { MiniCluster } from 'tailrace/testing'
import { expect, test } from 'vitest'
import { reading } from './running-average.ts'

test('reading() is within two degrees of its place', () => {
  expect(reading(0, () => 0)).toEqual({ sensor: 'cellar', celsius: 2 })
  const kitchen = reading(1, () => 0.9)
  expect(kitchen.sensor).toBe('kitchen')
  expect(kitchen.celsius).toBeCloseTo(29.6)
})

test.each([1, 2])('running average at parallelism %i: a line per reading, each with the mean so far', async (p) => {
  const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
  try {
    const { printed } = await cluster.runProgram(new URL('./running-average.ts', import.meta.url), {
      parameters: { readings: '400' },
      options: { 'parallelism.default': String(p) },
    })
    expect(printed).toHaveLength(400)
    const bySensor = Map.groupBy(
      printed.map((line) => /(\w+) +([\d.]+) °C after (\d+) readings$/.exec(line)!),
      ([, sensor]) => sensor,
    )
    expect([...bySensor.keys()].sort()).toEqual(['attic', 'cellar', 'garden', 'kitchen'])
    const around = { cellar: 4, garden: 12, attic: 20, kitchen: 28 }
    for (const [sensor, lines] of bySensor) {
      expect(lines.map(([, , , n]) => Number(n))).toEqual(lines.map((_, i) => i + 1))
      expect(Math.abs(Number(lines.at(-1)![2]) - around[sensor as keyof typeof around])).toBeLessThan(1)
    }
  } finally {
    await cluster.stop()
  }
})
