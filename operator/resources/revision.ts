/**
 * The last spec that was taken up, kept as a ControllerRevision as the user has written it: what is different now is told by comparing both as this version reads them, so a newer operator restarts nothing.
 */

import { ownerReference } from './children.ts'
import { shortHash } from './hash.ts'
import { type Identity, labelsOf } from './names.ts'
import type { KubeObject } from './objects.ts'

/** Of each deployment so many are kept. */
export const REVISIONS_MAX = 10

/** The same name for the same spec and defaults. */
export function revisionName({ name }: Pick<Identity, 'name'>, data: unknown): string {
  return `${name}-${shortHash(data)}`
}

/**
 * @param data the spec, and the defaults that it was read with
 * @param number rises; the highest is the newest
 */
export function controllerRevision(identity: Identity, data: unknown, number: number): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: revisionName(identity, data),
      namespace: identity.namespace,
      labels: labelsOf(identity.name),
      ownerReferences: [ownerReference(identity)],
    },
    data,
    revision: number,
  }
}
