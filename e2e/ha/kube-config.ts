/** A kubeconfig in a file, for processes that are to find an API server as a user's tools do. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The environment of such a process. The file is in `folder`. */
export function kubeConfig(folder: string, server: string, namespace: string): Record<string, string> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    'current-context': 'test',
  }
  const file = join(folder, 'kube-config.json')
  writeFileSync(file, JSON.stringify(config))
  return { KUBECONFIG: file }
}
