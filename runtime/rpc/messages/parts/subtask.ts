/** A subtask of a job, and what is known of it by its name. */
import { z } from 'zod'
import type { SubtaskRef } from '../../slot-messages.ts'
import { count, id } from './numbers.ts'
import { schemaOf } from './schema-of.ts'

/** Fields of a message about one. */
export const ofSubtask = { vertexId: id, subtask: count }

export const subtaskRef = schemaOf<SubtaskRef>()(z.strictObject(ofSubtask))
