/**
 * Tells what a schema takes away from one that was released: whatever the old one took, the new one has to take, and what it kept, the new one has to keep.
 *
 * Resources that are stored were judged by the old schema, and manifests lie in repositories of others. So within a version fields are only added, optional ones, and values only widened. Defaults stay, as they decide what a
 * manifest means that says nothing. Descriptions, columns and wider bounds are free.
 */
import type { CustomResourceDefinition } from './crd.ts'
import { pathOf } from './messages.ts'
import type { Structural } from './structural.ts'

/**
 * One line for each incompatibility; none when the new definition may be installed over the old one.
 *
 * @example
 * incompatibilities(released, streamDeploymentDefinition()) // ['v1beta1 spec.job.args: is gone']
 */
export function incompatibilities(old: CustomResourceDefinition, next: CustomResourceDefinition): string[] {
  const lines: string[] = []
  for (const field of ['group', 'scope'] as const)
    if (old.spec[field] !== next.spec[field]) lines.push(`${field}: is ${next.spec[field]}, and was ${old.spec[field]}`)
  const [before, after] = [old.spec.names, next.spec.names]
  for (const field of ['kind', 'plural', 'singular', 'listKind'] as const)
    if (before[field] !== after[field]) lines.push(`names.${field}: is ${after[field]}, and was ${before[field]}`)
  for (const field of ['shortNames', 'categories'] as const)
    for (const name of before[field]) if (!after[field].includes(name)) lines.push(`names.${field}: ${name} is gone`)
  for (const version of old.spec.versions) {
    const now = next.spec.versions.find(({ name }) => name === version.name)
    if (now === undefined || (version.served && !now.served)) {
      lines.push(`${version.name}: is not served any more`)
      continue
    }
    if (JSON.stringify(version.subresources) !== JSON.stringify(now.subresources))
      lines.push(
        `${version.name} subresources: are ${JSON.stringify(now.subresources)}, and were ${JSON.stringify(version.subresources)}`,
      )
    const found = compare(version.schema.openAPIV3Schema, now.schema.openAPIV3Schema, [])
    lines.push(...found.map((line) => `${version.name} ${line}`))
  }
  return lines
}

function compare(old: Structural, next: Structural, at: readonly PropertyKey[]): string[] {
  const lines: string[] = []
  const say = (text: string) => lines.push(`${pathOf(at) || 'the schema'}: ${text}`)
  if (typeOf(old) !== typeOf(next) && !(typeOf(old) === 'integer' && typeOf(next) === 'number'))
    say(`is of type ${typeOf(next)}, and was ${typeOf(old)}`)
  if (JSON.stringify(old.default) !== JSON.stringify(next.default))
    say(`defaults to ${JSON.stringify(next.default)}, and did to ${JSON.stringify(old.default)}`)
  for (const value of next.enum === undefined ? [] : (old.enum ?? ['any value']))
    if (!next.enum!.includes(value)) say(`does not take ${value} any more`)
  if (next.pattern !== undefined && next.pattern !== old.pattern) say(`must match ${next.pattern}, and did not have to`)
  if (next.format !== undefined && next.format !== old.format) say(`must be a ${next.format}, and did not have to`)
  narrower(old, next, say)
  for (const name of next.required ?? []) if (!old.required?.includes(name)) say(`needs ${name}, and did not`)
  const wasOpen = old['x-kubernetes-preserve-unknown-fields'] === true
  if (wasOpen && !next['x-kubernetes-preserve-unknown-fields']) say('drops fields that it kept')
  for (const list of ['x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-map-type'] as const)
    if (JSON.stringify(old[list]) !== JSON.stringify(next[list]))
      say(`has ${list} ${JSON.stringify(next[list])}, and had ${JSON.stringify(old[list])}`)
  const known = new Set((old['x-kubernetes-validations'] ?? []).map(({ rule }) => rule))
  for (const { rule } of next['x-kubernetes-validations'] ?? [])
    if (!known.has(rule)) say(`has the rule ${rule}, and had not`)
  for (const [name, before] of Object.entries(old.properties ?? {})) {
    const now = next.properties?.[name] ?? next.additionalProperties
    if (now !== undefined) lines.push(...compare(before, now, [...at, name]))
    else lines.push(`${pathOf([...at, name])}: is gone`)
  }
  if (wasOpen || old.additionalProperties !== undefined)
    for (const [name, now] of Object.entries(next.properties ?? {}))
      if (old.properties?.[name] === undefined && !isOpen(now) && !old.additionalProperties)
        lines.push(`${pathOf([...at, name])}: is held to a schema, and was kept as it is`)
  if (old.items !== undefined && next.items !== undefined) lines.push(...compare(old.items, next.items, [...at, '*']))
  if (old.additionalProperties !== undefined) {
    if (next.additionalProperties !== undefined)
      lines.push(...compare(old.additionalProperties, next.additionalProperties, [...at, '*']))
    else if (!next['x-kubernetes-preserve-unknown-fields']) say('takes no entries any more')
  }
  return lines
}

function typeOf(schema: Structural): string {
  return schema['x-kubernetes-int-or-string'] ? 'int-or-string' : (schema.type ?? 'any')
}

function isOpen(schema: Structural): boolean {
  return schema.type === 'object' && schema['x-kubernetes-preserve-unknown-fields'] === true && !schema.required
}

/** Bounds that are closer than they were. */
function narrower(old: Structural, next: Structural, say: (text: string) => void): void {
  for (const bound of ['minimum', 'minLength', 'minItems', 'minProperties'] as const) {
    const now = next[bound]
    if (now !== undefined && now > (old[bound] ?? Number.NEGATIVE_INFINITY))
      say(`has the ${bound} ${now}, and had ${old[bound] ?? 'none'}`)
  }
  for (const bound of ['maximum', 'maxLength', 'maxItems', 'maxProperties'] as const) {
    const now = next[bound]
    if (now !== undefined && now < (old[bound] ?? Number.POSITIVE_INFINITY))
      say(`has the ${bound} ${now}, and had ${old[bound] ?? 'none'}`)
  }
  for (const flag of ['exclusiveMinimum', 'exclusiveMaximum'] as const)
    if (next[flag] && !old[flag]) say(`has ${flag}, and had not`)
}
