/** The plan of a job (graph/model.ts). */
import { z } from 'zod'
import type { JobConfig, Plan, PlanEdge, PlanOperator, PlanVertex } from '../../../graph/model.ts'
import { list } from './list.ts'
import { anyNumber, count, id, texts } from './numbers.ts'
import { schemaOf } from './schema-of.ts'
import { typeDescription } from './type-description.ts'

const config = schemaOf<JobConfig>()(
  z.strictObject({
    jobName: z.string(),
    parallelism: count,
    maxParallelism: count.optional(),
    bufferTimeoutMs: anyNumber,
    autoWatermarkIntervalMs: anyNumber,
    chaining: z.boolean(),
    autoGenerateUids: z.boolean(),
    parameters: texts,
    options: texts,
  }) as unknown as z.ZodType<JobConfig>,
)

const operator = schemaOf<PlanOperator>()(
  z.strictObject({
    operatorId: id,
    name: z.string(),
    uid: z.string().nullable(),
    description: z.string().nullable(),
    module: z.string(),
    /** -1 for the head. */
    parent: z.number().int().min(-1),
    tag: z.string().nullable(),
    isSource: z.boolean(),
    isSink: z.boolean(),
    settings: texts,
  }),
)

const vertex = schemaOf<PlanVertex>()(
  z.strictObject({
    id,
    name: z.string(),
    parallelism: count,
    maxParallelism: count,
    maxParallelismSet: z.boolean(),
    nonParallel: z.literal(true).optional(),
    slotSharingGroup: z.string(),
    isSource: z.boolean(),
    operators: list(operator),
  }),
)

const edge = schemaOf<PlanEdge>()(
  z.strictObject({
    id: count,
    from: id,
    fromOperator: count,
    tag: z.string().nullable(),
    to: id,
    inputIndex: count,
    partitioner: z.string(),
    settings: texts,
    bufferTimeoutMs: anyNumber,
    type: typeDescription.nullable(),
  }),
)

export const plan = schemaOf<Plan>()(z.strictObject({ config, vertices: list(vertex), edges: list(edge), hash: id }))
