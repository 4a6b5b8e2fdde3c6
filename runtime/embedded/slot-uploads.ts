/** A slot's host whose snapshots are stored on the way: what stands in the main thread of a TaskManager, in the process of the JobManager here. */
import type { SlotHost } from '../jobmanager/slot-pool.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import { SnapshotUploads, type StateBytes, type UploadSizes } from '../taskmanager/snapshot-uploads.ts'

/** `storeOf` gives the store of a job that takes checkpoints. */
export function withUploads(
  host: SlotHost,
  storeOf: (jobId: string) => StateBytes | undefined,
  sizes?: UploadSizes,
): SlotHost {
  let jobId: string | undefined
  let toJobManager: (message: FromSlot) => void = () => {}
  const uploads = new SnapshotUploads({
    store: () => (jobId === undefined ? undefined : storeOf(jobId)),
    toSlot: (message, transfer) => host.port.post(message, transfer),
    toJobManager: (message) => toJobManager(message),
    ...(sizes === undefined ? {} : { sizes }),
  })
  return {
    port: {
      post: (message, transfer) => {
        if (message.type === 'deploy') jobId = message.deployment.jobId
        host.port.post(message, transfer)
      },
      onMessage: (handler) => {
        toJobManager = handler
        host.port.onMessage((message) => uploads.receive(message))
      },
      close: () => host.port.close(),
    },
    onExit: (handler) => host.onExit(handler),
    terminate: () => host.terminate(),
  }
}
