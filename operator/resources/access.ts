/** What the pods of a deployment may ask of the API server: their own Lease and ConfigMap, by name, and nothing else. */
import type { DeploymentSpec } from '../api/deployment-spec.ts'
import { childNames, type Identity, labelsOf } from './names.ts'
import type { KubeObject } from './objects.ts'

const VERBS = ['get', 'watch', 'update', 'patch']

/** A given service account is bound to the Role, but not made. */
export function access(identity: Identity, spec: DeploymentSpec): KubeObject[] {
  const { name, namespace } = identity
  const names = childNames(name)
  const metadata = { name: names.access, namespace, labels: labelsOf(name) }
  const role: KubeObject = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata,
    rules: [
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [names.lease], verbs: VERBS },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: [names.configuration], verbs: VERBS },
    ],
  }
  const binding: KubeObject = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: names.access },
    subjects: [{ kind: 'ServiceAccount', name: spec.serviceAccount ?? names.access, namespace }],
  }
  if (spec.serviceAccount !== undefined) return [role, binding]
  return [{ apiVersion: 'v1', kind: 'ServiceAccount', metadata }, role, binding]
}
