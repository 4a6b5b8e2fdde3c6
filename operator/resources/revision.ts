/**
 * What a deployment was made of, kept as ControllerRevisions: the last spec that was taken up, as the user has written it, and the rendering of its pods. What is different now is told by comparing both specs as this
 * version reads them, and pods stay as they were rendered, so a newer operator restarts nothing.
 */

import { ownerReference } from './children.ts'
import { shortHash } from './hash.ts'
import { DEPLOYMENT_LABEL, type Identity, labelsOf, MANAGED_BY } from './names.ts'
import type { KubeObject } from './objects.ts'

/** Of each deployment so many are kept, besides those that it is made of. */
export const REVISIONS_MAX = 10

/** StatefulSets keep some of their own under the labels of their pods: those are not ours. */
export function revisionSelector(name: string): string {
  return `${DEPLOYMENT_LABEL}=${name},${MANAGED_BY.label}=${MANAGED_BY.value}`
}

/** The same name for the same spec and defaults. */
export function revisionName({ name }: Pick<Identity, 'name'>, data: unknown): string {
  return `${name}-${shortHash(data)}`
}

/**
 * @param data the spec and the defaults that it was read with, or a rendering
 * @param number rises; the highest is the newest
 */
export function controllerRevision(identity: Identity, name: string, data: unknown, number: number): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      namespace: identity.namespace,
      labels: labelsOf(identity.name),
      ownerReferences: [ownerReference(identity)],
    },
    data,
    revision: number,
  }
}
