/** The generated part of docs/kubernetes/streamdeployment.md: a row for each field, each rule, and what is left out. */
import { OPERATOR_SETTINGS } from '../operator/api/configuration.ts'
import { type CustomResourceDefinition, streamDeploymentDefinition } from '../operator/api/crd.ts'
import { LEFT_OUT, NARROWER } from '../operator/api/left-out.ts'
import type { Structural } from '../operator/api/structural.ts'

const MARK = '<!-- made by npm run crds -->\n'

/** Shown once, for all templates. */
const TEMPLATES = ['spec.jobManager.podTemplate', 'spec.taskManager.podTemplate']

export interface Field {
  path: string
  schema: Structural
  required: boolean
}

/** All fields below a schema, parents first: `spec.job.args[]` are items, `spec.logConfiguration.*` values by name. */
export function fieldsOf(schema: Structural, path: string): Field[] {
  const inner = (child: Structural, at: string, required: boolean): Field[] => [
    { path: at, schema: child, required },
    ...fieldsOf(child, at),
  ]
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
      inner(child, path === '' ? name : `${path}.${name}`, schema.required?.includes(name) ?? false),
    ),
    ...(schema.items?.properties ? fieldsOf(schema.items, `${path}[]`) : []),
    ...(schema.additionalProperties?.properties ? fieldsOf(schema.additionalProperties, `${path}.*`) : []),
  ]
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

function typeOf(schema: Structural): string {
  if (schema['x-kubernetes-int-or-string']) return 'quantity'
  if (schema.enum) return schema.enum.map((one) => `\`${one}\``).join(', ')
  if (schema.type === 'array')
    return `list of ${schema.items?.type === 'object' ? 'objects' : `${schema.items?.type}s`}`
  if (schema.additionalProperties) return `${typeOf(schema.additionalProperties)} by name`
  if (schema['x-kubernetes-preserve-unknown-fields'] && !schema.properties) return 'any object'
  return schema.format === 'date-time' ? 'moment' : (schema.type ?? '')
}

function bounds({ minimum, maximum, exclusiveMinimum }: Structural): string {
  if (minimum === undefined && maximum === undefined) return ''
  const low = minimum === undefined ? '' : exclusiveMinimum ? `more than ${minimum}` : `from ${minimum}`
  return ` ${[low, maximum === undefined ? '' : `to ${maximum}`].filter((part) => part !== '').join(' ')}`
}

function table(fields: readonly Field[]): string {
  const rows = fields.map(({ path, schema, required }) => {
    const isPlain = schema.default === undefined || typeof schema.default === 'object'
    const standard = required ? 'required' : isPlain ? '' : `\`${schema.default}\``
    return `| \`${path}\` | ${cell(typeOf(schema) + bounds(schema))} | ${standard} | ${cell(schema.description ?? '')} |\n`
  })
  return `| field | type | default | |\n|---|---|---|---|\n${rows.join('')}`
}

/** What stands below the mark. */
export function fieldTables(crd: CustomResourceDefinition = streamDeploymentDefinition()): string {
  const schema = crd.spec.versions[0].schema.openAPIV3Schema
  const of = (name: 'spec' | 'status') => fieldsOf(schema.properties![name], name)
  const inTemplate = (path: string, template: string) => path.startsWith(`${template}.`)
  const spec = of('spec').filter(({ path }) => ![...TEMPLATES, 'spec.podTemplate'].some((one) => inTemplate(path, one)))
  const template = of('spec').filter(({ path }) => inTemplate(path, 'spec.podTemplate'))
  const rules = [{ path: 'spec', schema: schema.properties!.spec, required: true }, ...of('spec')].flatMap(
    ({ path, schema: { 'x-kubernetes-validations': all = [] } }) =>
      all.map(({ message }) => `| \`${path}\` | ${cell(message)} |\n`),
  )
  const left = LEFT_OUT.map(({ kind, paths, why }) => {
    const what = paths.length === 0 ? 'all of it' : paths.map((path) => `\`${path}\``).join(', ')
    return `| ${kind} | ${what} | ${why} |\n`
  })
  const narrower = Object.entries(NARROWER).map(([path, why]) => `| \`${path}\` | ${why} |\n`)
  const settings = Object.entries(OPERATOR_SETTINGS).map(
    ([key, { type, standard, text }]) => `| \`${key}\` | ${type.name} | ${standard} | ${text} |\n`,
  )
  return `
## Settings of the operator

Keys of \`configuration\` that the operator reads, behind \`tailrace.operator.\` or \`kubernetes.operator.\`. A change of them restarts nothing.

| key | type | default | |
|---|---|---|---|
${settings.join('')}
## Fields of spec

${table(spec)}
### podTemplate

${table(template)}
\`spec.jobManager.podTemplate\` and \`spec.taskManager.podTemplate\` have the same fields.

### Rules between fields

\`kubectl apply\` refuses what breaks one.

| at | |
|---|---|
${rules.join('')}
## Fields of status

${table(of('status'))}
## What is left out

Of the resources of Flink's operator:

| kind | | why |
|---|---|---|
${left.join('')}
Held to more than there:

| field | why |
|---|---|
${narrower.join('')}`
}

/** A page with the tables as they should be. */
export function withFieldTables(page: string): string {
  const at = page.indexOf(MARK)
  if (at < 0) throw new Error(`Cannot write the tables of fields: the page has no line ${MARK}`)
  return page.slice(0, at + MARK.length) + fieldTables()
}
