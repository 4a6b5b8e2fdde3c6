/**
 * Manifests and definitions of Flink's operator, as it has them: with group and kind changed each FlinkDeployment is one that our schema and rules take, and of its properties only those are missing that left-out.ts gives a reason
 * for. The lists are closed in both directions.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { conformanceDirectory } from '../../runtime/testing/conformance/load.ts'
import { admit } from './admit.ts'
import { admitRules } from './admit-rules.ts'
import { streamDeploymentDefinition } from './crd.ts'
import { LEFT_OUT, NARROWER } from './left-out.ts'
import { lineOf } from './messages.ts'
import { readSpec } from './normalize.ts'
import { CLICK_AGGREGATION, FRAUD_DETECTION } from './seed-manifests.suite.ts'
import { STREAM_DEPLOYMENT } from './stream-deployment.ts'
import type { Structural } from './structural.ts'

type Tree = string | Tree[] | { [property: string]: any }

interface Data {
  /** YAML by path; documents of other kinds among them. */
  manifests: Record<string, string>
  crds: Record<string, { spec: Tree; status: Tree }>
}

const FILE = 'flink-operator-manifests.json'

/** Without data: undefined and a line that says so, or an error where data is required. */
function load(): Data | undefined {
  const path = join(conformanceDirectory(), FILE)
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'))
  const text = `conformance ${FILE}: no data at ${path}; set TAILRACE_CONFORMANCE to its directory`
  if (process.env.TAILRACE_REQUIRE_ALL === '1' || process.env.CI === 'true') throw new Error(text)
  console.log(`${text} (skipped)`)
  return undefined
}

const data = load()
const schema = streamDeploymentDefinition().spec.versions[0].schema.openAPIV3Schema

/** What is wrong with a manifest at `kubectl apply`, unknown fields included. */
function refusals(manifest: any): string[] {
  const { apiVersion, kind } = STREAM_DEPLOYMENT
  const { value, problems, unknown } = admit({ ...manifest, apiVersion, kind }, schema)
  return [...problems, ...admitRules(value, schema)].map(lineOf).concat(unknown.map((path) => `${path}: is not known`))
}

/** The same manifest for something that can be run here. */
function forTailrace(spec: any): any {
  if (spec?.job?.jarURI === undefined) return spec
  return { ...spec, job: { ...spec.job, jarURI: spec.job.jarURI.replace(/\.jar$/, '.js') } }
}

/** Values of the examples that ask for what there is not, and what is said of them. */
const REFUSED_VALUES: Record<string, RegExp> = {
  'examples/flink-tls-example/basic-secure-deployment-only.yaml': /security\.ssl\.rest\.enabled/,
  'examples/canary.yaml': /^spec: is missing/,
}

describe.skipIf(data === undefined)('manifests of Flink’s operator', () => {
  const deployments = Object.entries(data?.manifests ?? {}).flatMap(([path, text]) =>
    (parseAllDocuments(text) as { toJS(): any }[])
      .map((document) => document.toJS())
      .filter((manifest) => manifest?.kind === 'FlinkDeployment')
      .map((manifest) => ({ path, manifest })),
  )

  it('are there', () => expect(deployments.length).toBeGreaterThan(20))

  it('are taken, without a field that is not known', () => {
    const lines = deployments.map(({ path, manifest }) => ({ path, refused: refusals(manifest) }))
    console.log(lines.map(({ path, refused }) => `${path} ${refused[0] ?? 'pass'}`).join('\n'))
    expect(lines.filter(({ refused }) => refused.length > 0)).toEqual([])
  })

  it('ask for nothing that the operator refuses afterwards, but for what is listed', () => {
    const refused = deployments.flatMap(({ path, manifest }) => {
      const { problems } = readSpec(forTailrace(manifest.spec), { image: 'tailrace' })
      return problems.map((problem) => ({ path, line: lineOf(problem) }))
    })
    for (const { path, line } of refused) expect(line, path).toMatch(REFUSED_VALUES[path] ?? /nothing/)
    expect(new Set(refused.map(({ path }) => path))).toEqual(new Set(Object.keys(REFUSED_VALUES)))
  })
})

/** Properties of a tree that a schema does not have, or holds to less than the tree takes. */
function differences(
  tree: Tree,
  ours: Structural | undefined,
  path: string,
): { missing: string[]; narrower: string[] } {
  if (ours === undefined) return { missing: [path], narrower: [] }
  const join = (all: ReturnType<typeof differences>[]) => ({
    missing: all.flatMap(({ missing }) => missing),
    narrower: all.flatMap(({ narrower }) => narrower),
  })
  if (typeof tree === 'string') {
    if (tree === 'any' || tree.startsWith('core/')) {
      const isOpen = ours['x-kubernetes-preserve-unknown-fields'] === true
      return { missing: isOpen ? [] : [path], narrower: [] }
    }
    const type = ours['x-kubernetes-int-or-string'] ? 'int-or-string' : ours.type
    return { missing: [], narrower: type !== tree || ours.enum !== undefined ? [path] : [] }
  }
  if (Array.isArray(tree)) return differences(tree[0], ours.items, `${path}[]`)
  if (tree.$map !== undefined) return differences(tree.$map, ours.additionalProperties, `${path}.*`)
  if (Array.isArray(tree.enum)) {
    const takes = (word: string) => (ours.enum ? ours.enum.includes(word) : new RegExp(ours.pattern ?? '').test(word))
    return { missing: [], narrower: tree.enum.every(takes) ? [] : [path] }
  }
  const { $required: _, ...properties } = tree
  return join(
    Object.entries(properties).map(([name, inner]) => differences(inner, ours.properties?.[name], `${path}.${name}`)),
  )
}

describe.skipIf(data === undefined)('definitions of Flink’s operator', () => {
  it('have no property that ours lacks without a reason', () => {
    const { spec, status } = data!.crds[`FlinkDeployment`]
    const found = [
      differences(spec, schema.properties!.spec, 'spec'),
      differences(status, schema.properties!.status, 'status'),
    ]
    const listed = LEFT_OUT.filter(({ kind }) => kind === 'FlinkDeployment').flatMap(({ paths }) => paths)
    expect(found.flatMap(({ missing }) => missing).sort()).toEqual([...listed].sort())
    expect(found.flatMap(({ narrower }) => narrower).sort()).toEqual(Object.keys(NARROWER).sort())
  })

  it('are of kinds that we have, or give a reason for', () => {
    const whole = LEFT_OUT.filter(({ paths }) => paths.length === 0).map(({ kind }) => kind)
    expect(Object.keys(data!.crds).sort()).toEqual(['FlinkDeployment', ...whole].sort())
  })
})

describe('manifests of articles, with group, kind, image and artifact changed', () => {
  it.each([CLICK_AGGREGATION, FRAUD_DETECTION])('are taken', (text) => {
    expect(refusals(parse(text))).toEqual([])
  })

  const articles = join(dirname(conformanceDirectory()), 'seeds')
  it.skipIf(!existsSync(articles))('are those of the articles but for these lines', () => {
    const read = (name: string) =>
      readFileSync(join(articles, name), 'utf8')
        .split('\n')
        .map((line) => line.trim())
    const changed = (text: string, article: string[]) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '' && !article.some((one) => one.startsWith(line)))
        .map((line) => line.split(':')[0])
    const expected = ['apiVersion', 'kind', 'image', 'jarURI']
    expect(changed(CLICK_AGGREGATION, read('000_0914b83655882303.txt'))).toEqual(expected)
    expect(changed(FRAUD_DETECTION, read('004_08d1b87b7c6dee9d.txt'))).toEqual(expected)
  })
})
