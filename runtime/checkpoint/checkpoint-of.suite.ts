/** Checkpoints for tests of the store: one operator whose state is a list of handles. */
import { exampleMetadata } from './any-metadata.suite.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'

export function checkpointOf(checkpointId: number, handles: readonly StateHandle[] = []): CheckpointMetadata {
  const operatorId = '0'.repeat(32)
  return exampleMetadata({
    checkpointId,
    operators: [
      {
        operatorId,
        name: 'count',
        uid: 'count',
        parallelism: 1,
        maxParallelism: 128,
        subtasks: [
          {
            operatorId,
            lists: handles.map((handle, i) => ({ name: `list${i}`, mode: 'split', handle, offsets: [0] })),
          },
        ],
        finished: [false],
      },
    ],
  })
}
