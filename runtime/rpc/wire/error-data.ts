/** The shape of an error that travels between processes. */
import { z } from 'zod'
import type { ErrorData } from '../../core/errors.ts'
import { errorCodes } from './farewell.ts'

export const errorData: z.ZodType<ErrorData> = z.strictObject({
  code: errorCodes,
  message: z.string(),
  operator: z.string().optional(),
  stack: z.string(),
  get cause() {
    return errorData.optional()
  },
})
