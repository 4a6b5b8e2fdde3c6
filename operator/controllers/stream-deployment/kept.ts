/**
 * What is kept in memory of the objects that are watched. Children are kept whole, as any field of them may have been edited; of pods, which are the most and the largest, what gather.ts reads of them.
 */
import { type KubeObject, RESOURCES } from '../../kube/objects.ts'
import { DEPLOYMENTS } from './act.ts'

/**
 * @example
 * reflect(RESOURCES.pods, { keep: keptOf('Pod') })
 */
export function keptOf(of: string): (object: KubeObject) => KubeObject {
  switch (of) {
    case RESOURCES.pods.kind:
      return ({ metadata, spec, status }) => ({
        metadata: withoutManagers(metadata),
        spec: { nodeName: spec?.nodeName },
        status,
      })
    // That they are there is enough, and whether they were looked at: they are read from the server when they are needed.
    case DEPLOYMENTS.kind:
      return ({ metadata, status }) => ({
        metadata: withoutManagers(metadata),
        status: { observedGeneration: status?.observedGeneration },
      })
    case RESOURCES.controllerRevisions.kind:
      return ({ apiVersion, kind, metadata }) => ({
        ...(apiVersion !== undefined && { apiVersion }),
        ...(kind !== undefined && { kind }),
        metadata: withoutManagers(metadata),
      })
    default:
      return ({ metadata, ...rest }) => ({ ...rest, metadata: withoutManagers(metadata) })
  }
}

function withoutManagers({ managedFields: _, ...metadata }: KubeObject['metadata']): KubeObject['metadata'] {
  return metadata
}
