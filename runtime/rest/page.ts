/** The page at `/`: files of runtime/web/dist, built by `npm run web:build`. The page knows the cluster by REST alone. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { App } from './common.ts'

const PAGE = fileURLToPath(new URL('../web/dist', import.meta.url))

const NOT_BUILT = `<!doctype html><meta charset="utf-8"><title>Tailrace</title>
<p>The page is not built: run <code>npm run web:build</code>. The REST API is here: <a href="/overview">/overview</a>,
<a href="/jobs/overview">/jobs/overview</a>.</p>`

export async function pageRoutes(app: App): Promise<void> {
  if (!existsSync(`${PAGE}/index.html`)) {
    app.get('/', (_request, reply) => reply.type('text/html').send(NOT_BUILT))
    return
  }
  const { default: files } = await import('@fastify/static')
  await app.register(files, {
    root: PAGE,
    decorateReply: false,
    setHeaders: (response, path) => {
      // File names carry a hash of their content, all but the first one's.
      const fresh = path.endsWith('.html')
      response.header('cache-control', fresh ? 'no-cache' : 'public, max-age=31536000, immutable')
      response.header('content-security-policy', "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'")
    },
  })
}
