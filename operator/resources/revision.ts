/**
 * The last spec that was taken up, kept as a ControllerRevision as the user has written it: what is different now is told by comparing both as this version reads them, so a newer operator restarts nothing.
 */

import { ownerReference } from './children.ts'
import { shortHash } from './hash.ts'
import { type Identity, labelsOf } from './names.ts'
import type { KubeObject } from './objects.ts'

/** Of each deployment so many are kept. */
export const REVISIONS_MAX = 10

/** The same name for the same spec. */
export function revisionName({ name }: Pick<Identity, 'name'>, spec: unknown): string {
  return `${name}-${shortHash(spec)}`
}

/** @param number rises; the highest is the newest */
export function controllerRevision(identity: Identity, spec: unknown, number: number): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: revisionName(identity, spec),
      namespace: identity.namespace,
      labels: labelsOf(identity.name),
      ownerReferences: [ownerReference(identity)],
    },
    data: { spec },
    revision: number,
  }
}
