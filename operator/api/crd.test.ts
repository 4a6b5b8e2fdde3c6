import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { fieldsOf } from '../../scripts/crd-page.ts'
import { compileRule } from './cel.ts'
import { CRD_BYTES_MAX, streamDeploymentDefinition } from './crd.ts'
import { CONDITION_TYPES } from './status.ts'
import { type Structural, schemaAt } from './structural.ts'

const { spec } = streamDeploymentDefinition()
const [version] = spec.versions
const schema = version.schema.openAPIV3Schema
const fields = fieldsOf(schema, '').filter(({ path }) => !path.startsWith('metadata'))

/** Every schema there is, items and values by name included. */
function* all(at: Structural, path = ''): Generator<{ path: string; schema: Structural }> {
  yield { path, schema: at }
  for (const [name, child] of Object.entries(at.properties ?? {})) yield* all(child, `${path}.${name}`)
  if (at.items) yield* all(at.items, `${path}[]`)
  if (at.additionalProperties) yield* all(at.additionalProperties, `${path}.*`)
}

describe('the definition of StreamDeployment', () => {
  test('is small enough to be applied from the client', () => {
    expect(stringify(streamDeploymentDefinition()).length).toBeLessThan(CRD_BYTES_MAX)
  })

  test('describes every field in a sentence', () => {
    expect(fields.length).toBeGreaterThan(300)
    expect(
      fields.filter(
        ({ schema: { description = '' }, path }) =>
          !/^[A-Z`].*[.`]$/s.test(description) && path !== 'apiVersion' && path !== 'kind',
      ),
    ).toEqual([])
  })

  test('has the names that people type', () => {
    expect(spec.names).toMatchObject({ plural: 'streamdeployments', shortNames: ['sd'], categories: ['streaming'] })
    expect(
      version.additionalPrinterColumns.filter(({ priority = 0 }) => priority === 0).map(({ name }) => name),
    ).toEqual(['Ready', 'Job Status', 'Lifecycle', 'Parallelism', 'TMs', 'Last Checkpoint', 'Age'])
  })

  test('shows and scales by fields that are there', () => {
    const paths = [
      ...version.additionalPrinterColumns.map(({ jsonPath }) => jsonPath),
      ...Object.values(version.subresources.scale),
    ]
    const known = paths.filter((path) => !path.startsWith('.metadata'))
    for (const path of known) {
      const parts = path
        .slice(1)
        .replace(/\[[^\]]*\]/, '.[]')
        .split('.')
      expect(schemaAt(schema, parts), path).toBeDefined()
    }
    expect(schemaAt(schema, ['spec', 'taskManager', 'replicas'])).toMatchObject({ default: 1 })
    expect(schemaAt(schema, ['spec', 'taskManager'])).toMatchObject({ default: {} })
  })

  test('has conditions as a map by type, and names each type', () => {
    const conditions = schemaAt(schema, ['status', 'conditions'])!
    expect(conditions).toMatchObject({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    for (const type of CONDITION_TYPES) expect(conditions.items!.properties!.type.description).toContain(type)
  })

  test('bounds what rules may take long over: texts, lists and maps', () => {
    const unbounded = [...all(schema)].filter(
      ({ path, schema: { type, maxLength, maxItems, additionalProperties, maxProperties, enum: words, format } }) => {
        if (!path.startsWith('.spec')) return false
        if (type === 'string') return maxLength === undefined && words === undefined && format === undefined
        if (type === 'array') return maxItems === undefined
        return additionalProperties !== undefined && maxProperties === undefined
      },
    )
    expect(unbounded.map(({ path }) => path)).toEqual([])
  })

  test('list maps name a field that their items need', () => {
    for (const { path, schema: at } of all(schema)) {
      for (const key of at['x-kubernetes-list-map-keys'] ?? []) expect(at.items!.required, path).toContain(key)
    }
  })

  test('has rules that can be read, each with a message, one that compares among them', () => {
    const found = [...all(schema)].flatMap(({ schema: at }) => at['x-kubernetes-validations'] ?? [])
    expect(found.some(({ rule }) => rule.includes('oldSelf'))).toBe(true)
    for (const { rule, message, messageExpression = "''" } of found) {
      expect(() => [compileRule(rule), compileRule(messageExpression)]).not.toThrow()
      expect(message).toMatch(/^must /)
      // The API server takes no line breaks, and 2048 characters, in either.
      expect(message).not.toContain('\n')
      expect(message.length).toBeLessThan(2048)
    }
  })
})
