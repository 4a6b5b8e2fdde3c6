/**
 * Uploaded artifacts, and running them: Flink's `/jars`. An artifact is a `.mjs`, `.js`, `.ts` or `.tgz`; Flink's entry class is a module of a package.
 */
import { type FastifyMultipartOptions, default as multipart } from '@fastify/multipart'
import type { Submission, Submissions } from '../artifacts/submission.ts'
import { ERRORS, isTailraceError } from '../core/errors.ts'
import { type App, type RestContext, RestError } from './common.ts'
import {
  type JarList,
  type JarRun,
  type JarUploaded,
  jarList,
  jarParams,
  jarPlan,
  jarRun,
  jarUploaded,
  type RunQuery,
  type RunRequest,
  runQuery,
  runRequest,
} from './jars-schemas.ts'
import { binary, restPlan } from './job.ts'
import { sameSiteOnly } from './same-site.ts'

/** Parts of a form besides the file. */
const FIELDS_MAX = 10

export function jarRoutes(app: App, context: RestContext): void {
  // Forms are taken here alone: elsewhere what is no JSON is refused.
  app.register(async (forms) => {
    const { submissions } = context
    const options: FastifyMultipartOptions = { limits: { files: 1, fields: FIELDS_MAX, parts: FIELDS_MAX + 1 } }
    await forms.register(multipart, options)
    forms.post(
      '/jars/upload',
      { onRequest: sameSiteOnly, schema: { response: { 200: jarUploaded } } },
      async (request): Promise<JarUploaded> => {
        const { uploads } = enabled(submissions)
        if (!request.isMultipart())
          throw new RestError(400, 'Cannot read the upload: a form is wanted, such as: curl -F jarfile=@job.mjs')
        // The uploads have their own limit, with a better text.
        const part = await request.file({ limits: { fileSize: Number.POSITIVE_INFINITY } })
        if (part === undefined) throw new RestError(400, 'Cannot read the upload: the form has no file')
        try {
          const upload = await answer(uploads.upload(part.file, part.filename))
          return { filename: upload.path, status: 'success' }
        } finally {
          // What is left of a refused one, so that the answer is heard.
          part.file.resume()
        }
      },
    )
  })

  app.get('/jars', { schema: { response: { 200: jarList } } }, async (request): Promise<JarList> => {
    const files = await answer(enabled(context.submissions).uploads.list())
    return {
      address: `${request.protocol}://${request.host}`,
      files: files.map(({ id, name, uploadedMs, entry }) => ({
        id,
        name,
        uploaded: uploadedMs,
        entry: entry === undefined ? [] : [{ name: entry, description: '' }],
      })),
    }
  })

  app.delete('/jars/:jarid', { onRequest: sameSiteOnly, schema: { params: jarParams } }, async ({ params }, reply) => {
    if (!(await answer(enabled(context.submissions).uploads.delete(params.jarid)))) throw notFound(params.jarid)
    return reply.send({})
  })

  const schema = { params: jarParams, querystring: runQuery, body: runRequest }

  app.post(
    '/jars/:jarid/plan',
    { onRequest: sameSiteOnly, schema: { ...schema, response: { 200: jarPlan } } },
    async ({ params, query, body }) => {
      const submissions = enabled(context.submissions)
      const submission = await submissionOf(submissions, params.jarid, query, body)
      const plan = await answer(submissions.plan(submission))
      return { plan: restPlan(submission.jobId ?? '0'.repeat(32), plan) }
    },
  )

  app.post(
    '/jars/:jarid/run',
    { onRequest: sameSiteOnly, schema: { ...schema, response: { 200: jarRun } } },
    async ({ params, query, body }): Promise<JarRun> => {
      const submissions = enabled(context.submissions)
      const jobId = await answer(submissions.run(await submissionOf(submissions, params.jarid, query, body)))
      return { jobid: jobId, applicationId: binary(jobId) }
    },
  )
}

/** What the request says, of its body first. Two ways to say one thing must not differ. */
async function submissionOf(
  { uploads }: Submissions,
  uploadId: string,
  query: RunQuery,
  body: RunRequest,
): Promise<Submission> {
  if ((await answer(uploads.get(uploadId))) === undefined) throw notFound(uploadId)
  const { claimMode, restoreMode, flinkConfiguration, configuration } = body
  if (claimMode && restoreMode && claimMode !== restoreMode)
    throw new RestError(400, `Cannot use both claimMode ${claimMode} and restoreMode ${restoreMode}: leave one out`)
  if (flinkConfiguration && configuration)
    throw new RestError(400, 'Cannot use both flinkConfiguration and configuration: they are two names of one thing')
  return {
    uploadId,
    entry: body.entryClass ?? query['entry-class'],
    args: argsOf(query, body),
    parallelism: body.parallelism ?? query.parallelism ?? undefined,
    jobId: body.jobId ?? undefined,
    savepointPath: body.savepointPath ?? query.savepointPath,
    allowNonRestoredState: body.allowNonRestoredState ?? query.allowNonRestoredState ?? undefined,
    claimMode: claimMode ?? restoreMode ?? query.claimMode,
    configuration: flinkConfiguration ?? configuration ?? {},
  }
}

function argsOf(query: RunQuery, { programArgsList, programArgs }: RunRequest): string[] {
  if (programArgsList && programArgs !== undefined)
    throw new RestError(400, 'Cannot use both programArgsList and programArgs: leave one out')
  if (programArgsList) return programArgsList
  const text = programArgs ?? query['program-args']
  if (text !== undefined) return words(text)
  return query.programArg === undefined ? [] : query.programArg.split(',')
}

/** Splits at spaces that are not in quotes. */
export function words(text: string): string[] {
  return (text.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []).map((word) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, a, b) => a ?? b),
  )
}

function enabled(submissions: Submissions | undefined): Submissions {
  if (submissions !== undefined) return submissions
  throw new RestError(403, 'Cannot submit jobs to this cluster: that is switched off by web.submit.enable')
}

function notFound(id: string): RestError {
  return new RestError(404, `Cannot find the upload ${id}: there is none of this id, GET /jars has them`)
}

/** What is wrong with the request, or the artifact in it, is said as such. */
async function answer<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isTailraceError(error) || ERRORS[error.code].retry || ERRORS[error.code].domain !== 'user') throw error
    throw new RestError(error.code === 'TR-ARTIFACT-006' ? 413 : 400, `${error.code}: ${error.message}`)
  }
}
