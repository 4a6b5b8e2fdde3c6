/** Slot to JobManager: the program, the plan or an operator could not be built; no task runs. */
import { z } from 'zod'
import { errorData } from '../../wire/error-data.ts'

export const deployFailed = z.strictObject({ type: z.literal('deployFailed'), error: errorData })
