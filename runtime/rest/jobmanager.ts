/** The JobManager's own configuration and environment. */
import { z } from 'zod'
import { masked } from '../config/secrets.ts'
import { type App, jobOf, jobParams, type RestContext } from './common.ts'

const configuration = z.array(z.object({ key: z.string(), value: z.string() }))
const environment = z.object({
  jvm: z.object({ version: z.string(), arch: z.string(), options: z.array(z.string()) }),
  classpath: z.array(z.string()),
})

export function jobManagerRoutes(app: App, context: RestContext): void {
  const configured = () => Object.entries(masked(context.configuration)).map(([key, value]) => ({ key, value }))
  const surroundings = () => ({
    jvm: { version: `Node.js ${process.version}`, arch: process.arch, options: process.execArgv },
    classpath: [],
  })
  app.get('/jobmanager/config', { schema: { response: { 200: configuration } } }, configured)
  app.get('/jobmanager/environment', { schema: { response: { 200: environment } } }, surroundings)
  // A job's JobManager is the cluster's.
  const ofJob = { params: jobParams }
  app.get('/jobs/:jobid/jobmanager/config', { schema: { ...ofJob, response: { 200: configuration } } }, (request) => {
    jobOf(context, request.params.jobid)
    return configured()
  })
  app.get(
    '/jobs/:jobid/jobmanager/environment',
    { schema: { ...ofJob, response: { 200: environment } } },
    (request) => {
      jobOf(context, request.params.jobid)
      return surroundings()
    },
  )
}
