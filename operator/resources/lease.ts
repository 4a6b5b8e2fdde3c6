/** The Lease that JobManagers are elected by. It is made beforehand, so that they need no right to make one, and carries what they are told while they run. */
import { ANNOTATIONS, childNames, type Identity, labelsOf } from './names.ts'
import type { KubeObject } from './objects.ts'
import { directiveText, type RestoreDirective } from './restore-directive.ts'

/** @param parallelism undefined: of a session cluster, which has no job of its own */
export function lease(
  { name, namespace }: Identity,
  restore: RestoreDirective,
  parallelism: number | undefined,
): KubeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: childNames(name).lease,
      namespace,
      labels: labelsOf(name, 'jobmanager'),
      annotations: {
        ...(parallelism !== undefined && { [ANNOTATIONS.parallelism]: String(parallelism) }),
        [ANNOTATIONS.restore]: directiveText(restore),
      },
    },
  }
}
