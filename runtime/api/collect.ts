/**
 * executeAndCollect: a sink that hands its records to the program. Records come in the order in which the sink got them; values
 * that the program has not taken yet hold back the sink.
 */
import { isTailraceError } from '../core/errors.ts'
import type { JobClient } from '../program/context.ts'
import type { DataStream } from './data-stream.ts'

function addCollectSink(stream: DataStream<any>): void {
  const id = stream.environment.builder.nextId
  stream.environment.builder.add({
    name: 'Collect',
    spec: { module: 'collect', options: { collectId: `collect-${id}` } },
    inputs: stream.inputs,
    isSink: true,
    // One subtask, so that the program sees one order.
    parallelism: 1,
  })
}

export async function collect<T>(
  stream: DataStream<T>,
  jobName: string | undefined,
  limit: number | undefined,
): Promise<T[]> {
  if (limit !== undefined && !(limit >= 0)) throw new RangeError(`Cannot collect ${limit} records: 0 or more is wanted`)
  const collected: T[] = []
  let reached: () => void = () => {}
  const limitReached = new Promise<'limit'>((resolve) => {
    reached = () => resolve('limit')
  })
  if (limit === 0) reached()
  addCollectSink(stream)
  const client = await stream.environment.submit(jobName, {
    onCollected: (values) => {
      for (const value of values) if (limit === undefined || collected.length < limit) collected.push(value as T)
      if (collected.length === limit) reached()
    },
  })
  const result = client.result()
  if ((await Promise.race([result, limitReached])) === 'limit') await cancelled(client, result)
  return collected
}

/** Cancels, and waits for the end; a job that ended by itself meanwhile is as good. */
async function cancelled(client: JobClient, result: Promise<unknown>): Promise<void> {
  // Attached before cancel(): the rejection must never be without a handler.
  const ended = result.then(
    () => {},
    (error) => {
      if (!isTailraceError(error) || error.code !== 'TR-CLUSTER-002') throw error
    },
  )
  await client.cancel()
  await ended
}

export function collectAsync<T>(stream: DataStream<T>, jobName: string | undefined): AsyncIterable<T> {
  addCollectSink(stream)
  const { environment } = stream
  // Taken now: the program may go on building another job before it reads this one.
  const submit = environment.prepare(jobName)
  return { [Symbol.asyncIterator]: () => iterate<T>(submit) }
}

async function* iterate<T>(submit: ReturnType<DataStream<any>['environment']['prepare']>): AsyncGenerator<T> {
  /** Batches not yet given out, each with how to acknowledge it. */
  const batches: { values: unknown[]; taken: () => void }[] = []
  let wake: () => void = () => {}
  let ended = false
  let left = false
  let failure: { error: unknown } | undefined
  const client = await submit({
    onCollected: (values) =>
      new Promise<void>((taken) => {
        // Nobody reads what still comes until the job is cancelled.
        if (left) taken()
        else batches.push({ values, taken })
        wake()
      }),
  })
  const result = client.result()
  const settled = result.then(
    () => {
      ended = true
      wake()
    },
    (error) => {
      ended = true
      failure = { error }
      wake()
    },
  )
  try {
    for (;;) {
      const batch = batches.shift()
      if (batch !== undefined) {
        // The reader may leave at any yield.
        try {
          for (const value of batch.values) yield value as T
        } finally {
          batch.taken()
        }
      } else if (ended) {
        if (failure !== undefined) throw failure.error
        return
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    left = true
    for (const batch of batches) batch.taken()
    if (!ended) {
      await client.cancel()
      await settled
    }
  }
}
