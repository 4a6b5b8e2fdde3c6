/** JobManager to slot: build these subtasks. What a TaskManager makes itself is not in it: shared memory. */
import { z } from 'zod'
import type {
  ArtifactRef,
  Deployment,
  DeploymentRestore,
  ProgramRef,
  ProgramReplay,
  SlotPlace,
} from '../../slot-messages.ts'
import { counts, list } from '../parts/list.ts'
import { count, id, port, sha256, texts } from '../parts/numbers.ts'
import { plan } from '../parts/plan.ts'
import { schemaOf } from '../parts/schema-of.ts'
import { subtaskRestore } from '../parts/snapshot.ts'
import { stateStorage } from '../parts/state-storage.ts'
import { subtaskRef } from '../parts/subtask.ts'
import { edgeTypes } from '../parts/type-description.ts'

/** A deployment as it travels. */
export type DeploymentData = Omit<Deployment, 'page'>

const artifact = schemaOf<ArtifactRef>()(
  z.strictObject({ sha256: sha256, name: z.string().max(1_024), entry: z.string().max(4_096).optional() }),
)

export const program = schemaOf<ProgramRef>()(
  z.strictObject({
    url: z.string(),
    args: list(z.string()),
    parameters: texts,
    options: texts,
    main: z.string().max(1_024).optional(),
    artifact: artifact.optional(),
  }),
)

export const replay = schemaOf<ProgramReplay>()(
  z.strictObject({ executeIndex: count, results: list(z.unknown()), once: z.record(z.string(), z.unknown()) }),
)

const slotPlace = schemaOf<SlotPlace>()(
  z.strictObject({ taskManager: id, data: z.strictObject({ host: z.string().min(1).max(255), port }).optional() }),
)

const checkpointing = z.strictObject({
  exactlyOnce: z.boolean(),
  times: z.strictObject({ intervalMs: z.number(), timeoutMs: z.number() }).optional(),
})

const restore = schemaOf<DeploymentRestore>()(
  z.strictObject({
    checkpointId: count,
    state: z.record(z.string(), z.record(z.string().regex(/^\d+$/), subtaskRestore)) as unknown as z.ZodType<
      DeploymentRestore['state']
    >,
    finished: list(subtaskRef),
    committed: z.boolean().optional(),
  }),
)

export const deploymentData = schemaOf<DeploymentData>()(
  z.strictObject({
    jobId: id,
    attempt: count,
    slotIndex: count,
    program,
    replay,
    plan,
    subtasks: list(subtaskRef),
    places: z.record(z.string(), counts),
    slots: list(slotPlace),
    token: id,
    edgeTypes,
    checkpointing: checkpointing.optional() as unknown as z.ZodType<Deployment['checkpointing']>,
    restore: restore.optional() as unknown as z.ZodType<Deployment['restore']>,
    storage: stateStorage.optional() as unknown as z.ZodType<Deployment['storage']>,
  }),
)

export const deploy = z.strictObject({ type: z.literal('deploy'), deployment: deploymentData })
