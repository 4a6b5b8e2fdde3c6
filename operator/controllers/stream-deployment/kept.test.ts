/** What is kept of what is watched is enough: the same facts and children come of it as of whole objects. */
import { expect, it } from 'vitest'
import type { StreamDeployment } from '../../api/stream-deployment.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { gather } from './gather.ts'
import { keptOf } from './kept.ts'
import type { Reader } from './pod-facts.ts'
import { MANIFEST, Stage } from './stage.suite.ts'

it('keeps all that facts are made of', async () => {
  const stage = new Stage()
  try {
    stage.apply({ ...MANIFEST, spec: { ...MANIFEST.spec, ingress: { template: '{{name}}.example.com' } } })
    await stage.until('it runs', stage.runs('fraud:1', 1))
    const { client } = stage
    const through = (kept: (kind: string) => (object: KubeObject) => KubeObject): Reader => ({
      get: (resource, key) => client.get(resource, key),
      list: async (resource, options) => {
        const { items } = await client.list(resource, options)
        return { items: items.map(kept(resource.kind)) as never[] }
      },
    })
    const options = {
      defaults: { image: 'tailrace:1' },
      jobManager: stage.node,
      cluster: undefined,
      nowMs: stage.clock.now(),
    }
    const gathered = (kept: Parameters<typeof through>[0]) =>
      gather(stage.resource() as StreamDeployment, { ...options, reader: through(kept) })
    const [whole, trimmed] = await Promise.all([gathered(() => (object) => object), gathered(keptOf)])
    expect(whole.facts.pods.length).toBeGreaterThan(1)
    expect(trimmed.facts).toEqual(whole.facts)
    const childrenOf = ({ observed }: typeof whole) =>
      [...observed].map(
        ([
          id,
          {
            metadata: { managedFields: _, ...metadata },
            ...rest
          },
        ]) => [id, { ...rest, metadata }],
      )
    expect(childrenOf(trimmed)).toEqual(childrenOf(whole))
    const [pod] = (await through(keptOf).list({ apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }, {}))
      .items
    expect(Object.keys(pod!['spec'])).toEqual(['nodeName'])
  } finally {
    stage.controller.close()
  }
})
