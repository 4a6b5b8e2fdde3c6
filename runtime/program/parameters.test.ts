import { describe, expect, it } from 'vitest'
import { parseArguments } from './parameters.ts'

describe('parseArguments()', () => {
  it.each([
    [['--a', '1'], { a: '1' }],
    [['--a=1'], { a: '1' }],
    [['-a', '1'], { a: '1' }],
    [['--a='], { a: '' }],
    [['--verbose', '--a', '1'], { verbose: 'true', a: '1' }],
    [['--from', '-5', '--to', '-.5'], { from: '-5', to: '-.5' }],
    [['--in', '-'], { in: '-' }],
    [['in.json', 'out.json'], {}],
    [['--a', '1', '--a', '2'], { a: '2' }],
    [['--last'], { last: 'true' }],
    [['--url', 'http://x/?a=b'], { url: 'http://x/?a=b' }],
    [['--eq=a=b'], { eq: 'a=b' }],
  ])('reads %j', (args, parameters) => {
    expect(parseArguments(args)).toEqual({ args, parameters })
  })
})
