import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideScale, type Scale, type ScaleWish } from './scale.ts'

const wish = (over: Partial<ScaleWish>): ScaleWish => ({
  replicas: 1,
  parallelism: undefined,
  slots: undefined,
  reactive: false,
  session: false,
  ...over,
})
const shape = ({ taskManagers, slots, parallelism }: Scale) => [taskManagers, slots, parallelism]
const decidedAfter = (...wishes: Partial<ScaleWish>[]) =>
  wishes.reduce<Scale | undefined>((before, one) => decideScale(wish(one), before), undefined)!

describe('decideScale()', () => {
  const first: [string, Partial<ScaleWish>, number[]][] = [
    ['slots come from parallelism and replicas', { parallelism: 8, replicas: 4 }, [4, 2, 8]],
    ['slots are rounded up', { parallelism: 7, replicas: 3 }, [3, 3, 7]],
    ['slots of the configuration hold', { parallelism: 12, replicas: 3, slots: 4 }, [3, 4, 12]],
    ['TaskManagers are enough for the parallelism', { parallelism: 4, replicas: 1, slots: 2 }, [2, 2, 4]],
    ['without a parallelism it is replicas × slots', { replicas: 3, slots: 2 }, [3, 2, 6]],
    ['without anything there is one of each', {}, [1, 1, 1]],
    ['reactive follows the replicas', { parallelism: 2, replicas: 4, slots: 2, reactive: true }, [4, 2, 8]],
    ['a session cluster has slots only', { replicas: 3, slots: 2, session: true }, [3, 2, 0]],
  ]
  test.each(first)('at first: %s', (_, one, expected) => expect(shape(decideScale(wish(one)))).toEqual(expected))

  const given = { parallelism: 8, replicas: 4 }
  const later: [string, Partial<ScaleWish>[], number[]][] = [
    ['nothing moved', [given, given], [4, 2, 8]],
    ['more replicas', [given, { ...given, replicas: 8 }], [8, 2, 16]],
    ['fewer replicas', [given, { ...given, replicas: 2 }], [2, 2, 4]],
    [
      'replicas hold until something is moved again',
      [given, { ...given, replicas: 8 }, { ...given, replicas: 8 }],
      [8, 2, 16],
    ],
    ['replicas back', [given, { ...given, replicas: 8 }, given], [4, 2, 8]],
    ['more parallelism', [given, { ...given, parallelism: 12 }], [6, 2, 12]],
    ['less parallelism', [given, { ...given, parallelism: 4 }], [4, 2, 4]],
    ['parallelism after replicas', [given, { ...given, replicas: 8 }, { replicas: 8, parallelism: 10 }], [8, 2, 10]],
    ['both at once', [given, { replicas: 2, parallelism: 4 }], [2, 2, 4]],
    ['other slots of the configuration', [given, { ...given, slots: 4 }], [4, 4, 8]],
    ['the parallelism is taken out', [given, { replicas: 4 }], [4, 2, 8]],
  ]
  test.each(later)('later: %s', (_, wishes, expected) => expect(shape(decidedAfter(...wishes))).toEqual(expected))

  test('there are always slots enough, and the same wish again changes nothing', () => {
    const number = fc.integer({ min: 1, max: 40 })
    const any = fc.record({
      replicas: number,
      parallelism: fc.option(number, { nil: undefined }),
      slots: fc.option(number, { nil: undefined }),
      reactive: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 6 }), (wishes) => {
        const scale = decidedAfter(...wishes)
        expect(scale.taskManagers * scale.slots).toBeGreaterThanOrEqual(scale.parallelism)
        expect(scale.taskManagers).toBeGreaterThanOrEqual(wishes.at(-1)!.replicas)
        expect(decideScale(wish(wishes.at(-1)!), scale)).toEqual(scale)
      }),
    )
  })
})
