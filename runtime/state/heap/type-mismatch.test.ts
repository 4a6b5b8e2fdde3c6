import { describe, expect, it } from 'vitest'
import { typeMismatch } from './type-mismatch.ts'

describe('typeMismatch()', () => {
  it('admits what can be read: number for int32, a type for itself or null, anything for any', () => {
    expect(typeMismatch({ kind: 'int32' }, { kind: 'number' })).toBeUndefined()
    expect(typeMismatch({ kind: 'string' }, { kind: 'nullable', of: { kind: 'string' } })).toBeUndefined()
    expect(typeMismatch({ kind: 'any' }, { kind: 'string' })).toBeUndefined()
    expect(typeMismatch({ kind: 'nullable', of: { kind: 'string' } }, { kind: 'string' })).toMatch(/may be null/)
    expect(typeMismatch({ kind: 'tuple', elements: [] }, { kind: 'tuple', elements: [{ kind: 'date' }] })).toMatch(
      /0 elements/,
    )
  })
})
