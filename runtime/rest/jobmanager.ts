/** The JobManager's own configuration and environment. */
import { z } from 'zod'
import { masked } from '../config/secrets.ts'
import type { App, RestContext } from './common.ts'

const configuration = z.array(z.object({ key: z.string(), value: z.string() }))
const environment = z.object({
  jvm: z.object({ version: z.string(), arch: z.string(), options: z.array(z.string()) }),
  classpath: z.array(z.string()),
})

export function jobManagerRoutes(app: App, context: RestContext): void {
  app.get('/jobmanager/config', { schema: { response: { 200: configuration } } }, () =>
    Object.entries(masked(context.configuration)).map(([key, value]) => ({ key, value })),
  )
  app.get('/jobmanager/environment', { schema: { response: { 200: environment } } }, () => ({
    jvm: { version: `Node.js ${process.version}`, arch: process.arch, options: process.execArgv },
    classpath: [],
  }))
}
