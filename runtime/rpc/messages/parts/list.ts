/**
 * Arrays, looked at up to the first element that does not fit. Zod's own go on and keep a record of each problem: of an array of millions, more memory than there is.
 */
import { z } from 'zod'
import { firstIssue } from '../../wire/catalog.ts'

/** @param lengthMax elements */
export function list<T>(element: z.ZodType<T>, lengthMax = Number.POSITIVE_INFINITY): z.ZodType<T[]> {
  return z.custom<T[]>(Array.isArray, 'an array is wanted').check(({ value, issues }) => {
    if (!Array.isArray(value)) return
    if (value.length > lengthMax) {
      issues.push({ code: 'custom', message: `at most ${lengthMax} are wanted`, path: [], input: value.length })
      return
    }
    for (let i = 0; i < value.length; i++) {
      const issue = firstIssue(element, value[i])
      if (issue === undefined) continue
      issues.push({ code: 'custom', message: issue.message, path: [i, ...issue.path], input: undefined })
      return
    }
  })
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** Whole numbers from 0; there may be many. */
export const counts: z.ZodType<number[]> = z
  .custom<number[]>(Array.isArray, 'an array is wanted')
  .check(({ value, issues }) => {
    const wrong = Array.isArray(value) ? value.findIndex((one) => !isCount(one)) : -1
    if (wrong >= 0)
      issues.push({ code: 'custom', message: 'a whole number of 0 or more is wanted', path: [wrong], input: undefined })
  })
