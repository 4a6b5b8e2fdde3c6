/** The Ingress that leads to REST and the page. */
import type { IngressSpec } from '../api/deployment-spec.ts'
import { childNames, type Identity, labelsOf, PORTS } from './names.ts'
import type { KubeObject } from './objects.ts'

/** Host and path of a template, such as `{{name}}.{{namespace}}.jobs.example.com` or `jobs.example.com/{{namespace}}/{{name}}(/|$)(.*)`. */
export function ingressPlace(
  template: string,
  { name, namespace }: Identity,
): { host: string | undefined; path: string } {
  const url = template
    .replace(/^[a-z]+:\/\//, '')
    .replaceAll(/\{\{\s*name\s*\}\}/g, name)
    .replaceAll(/\{\{\s*namespace\s*\}\}/g, namespace)
  const at = url.indexOf('/')
  const host = at < 0 ? url : url.slice(0, at)
  return { host: host || undefined, path: at < 0 ? '/' : url.slice(at) }
}

export function ingress(identity: Identity, wish: IngressSpec): KubeObject {
  const { name, namespace } = identity
  const { host, path } = ingressPlace(wish.template, identity)
  const backend = { service: { name: childNames(name).rest, port: { number: PORTS.rest } } }
  const pathType = /[()$*]/.test(path) ? 'ImplementationSpecific' : 'Prefix'
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: childNames(name).ingress,
      namespace,
      labels: { ...wish.labels, ...labelsOf(name, 'jobmanager') },
      annotations: wish.annotations,
    },
    spec: {
      ...(wish.className && { ingressClassName: wish.className }),
      ...(wish.tls.length > 0 && { tls: wish.tls }),
      rules: [{ ...(host && { host }), http: { paths: [{ path, pathType, backend }] } }],
    },
  }
}
