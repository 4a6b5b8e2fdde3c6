/** Uploaded artifacts, which Flink calls jars, and requests to run them, in Flink's spelling. */
import { z } from 'zod'
import { hex32 } from './common.ts'
import { binaryId } from './common-schemas.ts'
import { jobPlan } from './job-schemas.ts'

export const jarParams = z.object({ jarid: z.string() })

export const jarFile = z.object({
  id: z.string(),
  name: z.string(),
  /** Milliseconds since 1970. */
  uploaded: z.number(),
  /** The module that runs when the request names none. */
  entry: z.array(z.object({ name: z.string(), description: z.string() })),
})
export const jarList = z.object({
  /** Of the page, where one uploads. */
  address: z.string(),
  files: z.array(jarFile),
})
export type JarList = z.infer<typeof jarList>

export const jarUploaded = z.object({
  /** A path; its last name is the id. */
  filename: z.string(),
  status: z.literal('success'),
})
export type JarUploaded = z.infer<typeof jarUploaded>

/** null and an empty text are nothing. */
const text = z
  .string()
  .nullish()
  .transform((value) => value?.trim() || undefined)
const flag = z.union([z.boolean(), z.stringbool()]).nullish()
const count = z.coerce.number('parallelism must be a number').int().min(1).nullish()
/** -1 is nothing, too. */
const parallelism = z.preprocess((value) => (value === '' || Number(value) === -1 ? undefined : value), count)

export const runQuery = z.object({
  allowNonRestoredState: flag,
  savepointPath: text,
  claimMode: text,
  /** Separated by commas. */
  programArg: text,
  /** One text, split at spaces. */
  'program-args': text,
  'entry-class': text,
  parallelism,
})
export type RunQuery = z.infer<typeof runQuery>

const claimMode = z.enum(['CLAIM', 'NO_CLAIM', 'LEGACY']).nullish()

export const runRequest = z.preprocess(
  (given) => given ?? {},
  z.object({
    /** Of a package: the module, as a path in it. */
    entryClass: text,
    programArgsList: z.array(z.string()).nullish(),
    /** One text, split at spaces. */
    programArgs: text,
    parallelism,
    jobId: hex32('the job id').toLowerCase().nullish(),
    allowNonRestoredState: flag,
    savepointPath: text,
    claimMode,
    /** The older name of claimMode. */
    restoreMode: claimMode,
    flinkConfiguration: z.record(z.string(), z.coerce.string()).nullish(),
    /** Ours: another name of flinkConfiguration. */
    configuration: z.record(z.string(), z.coerce.string()).nullish(),
  }),
)
export type RunRequest = z.infer<typeof runRequest>

export const jarRun = z.object({ jobid: z.string(), applicationId: binaryId })
export type JarRun = z.infer<typeof jarRun>

export const jarPlan = jobPlan
