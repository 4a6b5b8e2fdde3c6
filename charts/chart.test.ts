/** The chart as Helm 3 and Helm 4 render it: what a cluster is asked for, and what the chart refuses. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { helms, missingHelm } from '../scripts/lab/helm.ts'

const root = dirname(import.meta.dirname)
const chart = join(import.meta.dirname, 'tailrace')
const missing = missingHelm()
const skipped = missing !== undefined && process.env.TAILRACE_REQUIRE_ALL === undefined
if (skipped) console.log(`${missing} (skipped)`)

it('has the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  expect(parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version })
})

it.skipIf(skipped)('is there with helm', () => expect(missing).toBeUndefined())

describe.skipIf(skipped).each(helms().map((helm) => [basename(helm), helm]))('with %s', (_, helm) => {
  const run = (command: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(helm, [command, ...args], { encoding: 'utf8' })
    return { status, stdout, stderr }
  }
  /** By kind and name. */
  const template = (...sets: string[]): Map<string, any> => {
    const flags = sets.flatMap((set) => ['--set', set])
    const { status, stdout, stderr } = run('template', 'tailrace', chart, '--namespace', 'streams', ...flags)
    expect(status, stderr).toBe(0)
    const objects = parseAllDocuments(stdout).map((document) => document.toJS())
    return new Map(objects.filter((one) => one !== null).map((one) => [`${one.kind}/${one.metadata.name}`, one]))
  }

  it('has nothing to complain of', () => {
    const { status, stdout } = run('lint', '--strict', chart)
    expect(status, stdout).toBe(0)
  })

  it('installs each CRD of the repository as it is, and leaves it behind', () => {
    const objects = template()
    const files = globSync('crds/*.yaml', { cwd: root })
    expect(files).not.toEqual([])
    for (const file of files) {
      const crd = parse(readFileSync(join(root, file), 'utf8'))
      const rendered = objects.get(`CustomResourceDefinition/${crd.metadata.name}`)
      expect(rendered.spec).toEqual(crd.spec)
      expect(rendered.metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' })
    }
    expect([...template('crds.create=false').keys()].filter((key) => key.startsWith('Custom'))).toEqual([])
  })

  it('runs two operators as "restricted" wants it', () => {
    const { spec } = template().get('Deployment/tailrace-operator')
    expect(spec.replicas).toBe(2)
    const pod = spec.template.spec
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    const [container] = pod.containers
    expect(container.image).toBe(`tailrace:${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}`)
    expect(container.args[0]).toBe('operator')
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) expect(container).toHaveProperty(probe)
    expect(container.resources.requests).toHaveProperty('memory')
  })

  it.each([{ sets: [] }, { sets: ['watchNamespaces={a,b}'] }])('asks for no right on secrets: $sets', ({ sets }) => {
    const rules = [...template(...sets).values()].flatMap((one) => one.rules ?? [])
    expect(rules.length).toBeGreaterThan(5)
    for (const { resources, verbs } of rules) {
      expect(resources).not.toContain('secrets')
      expect([...resources, ...verbs]).not.toContain('*')
    }
  })

  it('asks for rights in the whole cluster only when it looks after all namespaces', () => {
    expect(template().has('ClusterRole/tailrace-operator-streams')).toBe(true)
    const namespaced = template('watchNamespaces={a,b}')
    expect([...namespaced.keys()].filter((key) => key.startsWith('ClusterRole'))).toEqual([])
    const args = namespaced.get('Deployment/tailrace-operator').spec.template.spec.containers[0].args
    expect(args).toContain('--watch-namespaces=a,b')
    const { stdout } = run('template', 'tailrace', chart, '--set', 'watchNamespaces={a,b}')
    for (const namespace of ['a', 'b']) expect(stdout).toContain(`namespace: ${namespace}\n`)
  })

  it('takes the webhook key of other charts, and changes nothing for it', () => {
    expect(template('webhook.create=true')).toEqual(template())
  })

  it('names the image by its digest when there is one', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const { spec } = template(`image.digest=${digest}`, 'image.repository=registry.example/tailrace').get(
      'Deployment/tailrace-operator',
    )
    expect(spec.template.spec.containers[0].image).toBe(`registry.example/tailrace@${digest}`)
  })

  it.each(['replica=1', 'replicas=two', 'image.pullPolicy=Sometimes', 'watchNamespaces={A_b}', 'metrics.port=0'])(
    'refuses %s',
    (set) => {
      const { status, stderr } = run('template', 'tailrace', chart, '--set', set)
      expect(status).not.toBe(0)
      expect(stderr).toMatch(/schema/)
    },
  )
})
