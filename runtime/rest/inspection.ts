/** Logs and threads of the JobManager and of TaskManagers. What a TaskManager in another process has is asked of it, in pieces; its slots go on meanwhile. */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { ProcessInspection } from '../rpc/views.ts'
import { type App, jobOf, jobParams, type RestContext, RestError } from './common.ts'
import { slotThreads } from './slot-threads.ts'
import { requireTaskManager, taskManagerParams } from './taskmanagers.ts'

const logList = z.object({ logs: z.array(z.object({ name: z.string(), size: z.number(), mtime: z.number() })) })
const threadDump = z.object({
  threadInfos: z.array(z.object({ threadName: z.string(), stringifiedThreadInfo: z.string() })),
})
const logUrl = z.object({ url: z.string() })

/** Bytes of a log that are read at a time. */
const PIECE_BYTES = 262_144

/** Of a process that keeps none. */
export const NO_LOGS: Pick<ProcessInspection, 'listLogs' | 'readLog'> = {
  listLogs: async () => [],
  readLog: async () => undefined,
}

export function inspectionRoutes(app: App, context: RestContext): void {
  const { cluster } = context

  serve('/jobmanager', z.object({}), () => ({ who: 'the JobManager', process: context.process, slots: () => [] }))
  serve('/taskmanagers/:taskmanagerid', taskManagerParams, (params) => {
    const { taskmanagerid: id } = params as z.infer<typeof taskManagerParams>
    requireTaskManager(context, id)
    const process = cluster.taskManagers() === undefined ? context.process : cluster.taskManagerProcess(id)
    if (process === undefined) throw new RestError(404, `Cannot ask TaskManager ${id}: it has just gone`)
    return { who: `TaskManager ${id}`, process, slots: () => slotThreads(context, id) }
  })

  app.get(
    '/jobs/:jobid/jobmanager/log-url',
    { schema: { params: jobParams, response: { 200: logUrl } } },
    (request) => {
      jobOf(context, request.params.jobid)
      return { url: `${request.protocol}://${request.host}/jobmanager/log` }
    },
  )
  app.get(
    '/jobs/:jobid/taskmanagers/:taskmanagerid/log-url',
    { schema: { params: jobParams.extend(taskManagerParams.shape), response: { 200: logUrl } } },
    (request) => {
      const { jobid, taskmanagerid } = request.params
      jobOf(context, jobid)
      requireTaskManager(context, taskmanagerid)
      return { url: `${request.protocol}://${request.host}/taskmanagers/${encodeURIComponent(taskmanagerid)}/log` }
    },
  )

  interface Inspected {
    /** For messages. */
    who: string
    process: ProcessInspection
    slots(): { name: string; text: string }[]
  }

  function serve(at: string, params: z.ZodObject, find: (params: unknown) => Inspected): void {
    app.get(`${at}/logs`, { schema: { params, response: { 200: logList } } }, async (request) => {
      const logs = await find(request.params).process.listLogs()
      return { logs: logs.map(({ name, size, modifiedMs }) => ({ name, size, mtime: Math.floor(modifiedMs) })) }
    })
    app.get(`${at}/logs/:file`, { schema: { params: params.extend({ file: z.string() }) } }, async (request, reply) => {
      const found = find(request.params)
      return send(reply, found, String((request.params as { file: string }).file))
    })
    for (const [path, ending] of [
      ['log', '.log'],
      ['stdout', '.out'],
    ] as const) {
      app.get(`${at}/${path}`, { schema: { params } }, async (request, reply) => {
        const found = find(request.params)
        const log = (await found.process.listLogs()).find(({ name }) => name.endsWith(ending))
        if (log === undefined) throw new RestError(404, `Cannot show the ${path} of ${found.who}: it keeps none`)
        return send(reply, found, log.name)
      })
    }
    app.get(`${at}/thread-dump`, { schema: { params, response: { 200: threadDump } } }, async (request) => {
      const { process, slots } = find(request.params)
      const threads = [...(await process.threadDump()), ...slots()]
      return { threadInfos: threads.map(({ name, text }) => ({ threadName: name, stringifiedThreadInfo: text })) }
    })
  }

  async function send(reply: FastifyReply, { who, process }: Inspected, name: string) {
    const first = await process.readLog(name, 0, PIECE_BYTES)
    if (first === undefined) throw new RestError(404, `Cannot find the log "${name}": ${who} has none of this name`)
    async function* pieces() {
      let piece: typeof first = first
      // What is written meanwhile is for the next request.
      const { size } = first!
      while (piece !== undefined && piece.bytes.length > 0) {
        yield piece.bytes
        const next: number = piece.offset + piece.bytes.length
        if (next >= size) return
        piece = await process.readLog(name, next, PIECE_BYTES)
      }
    }
    return reply.type('text/plain; charset=utf-8').send(Readable.from(pieces()))
  }
}
