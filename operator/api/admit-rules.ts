/**
 * Judges a resource by the CEL rules of its schema, as the API server does when it is applied: each rule at each value that it stands at, and rules that compare only where there was a value before.
 */
import { compileRule, type Expression } from './cel.ts'
import { type Message, pathOf } from './messages.ts'
import type { Rule } from './schema-words.ts'
import type { Structural } from './structural.ts'

const COMPILED = new Map<string, Expression>()

function compiled(source: string): Expression {
  const before = COMPILED.get(source)
  if (before !== undefined) return before
  const expression = compileRule(source)
  COMPILED.set(source, expression)
  return expression
}

/**
 * All rules that a value breaks; `old` is what it replaces. The value is one that `admit` has taken.
 *
 * @example
 * admitRules({ spec: {} }, schema, { spec: { job: {} } }) // [{ path: 'spec.job', text: 'must keep `job`: …' }]
 */
export function admitRules(value: unknown, schema: Structural, old?: unknown): Message[] {
  const messages: Message[] = []
  visit(value, schema, old, [], messages)
  return messages
}

function visit(
  value: unknown,
  schema: Structural,
  old: unknown,
  at: readonly PropertyKey[],
  messages: Message[],
): void {
  if (value === undefined) return
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    const compares = /\boldSelf\b/.test(rule.rule)
    if (compares && old === undefined) continue
    const variables = compares ? { self: value, oldSelf: old } : { self: value }
    if (isMet(rule, variables)) continue
    messages.push({ path: pathOf([...at, ...fieldsOf(rule)]), text: messageOf(rule, variables) })
  }
  if (Array.isArray(value)) {
    if (schema.items === undefined) return
    const keys = schema['x-kubernetes-list-map-keys']
    value.forEach((item, index) => {
      // Items of other lists have no identity, so that nothing is compared in them.
      const before =
        keys && Array.isArray(old) ? old.find((one) => keys.every((key) => one[key] === item[key])) : undefined
      visit(item, schema.items!, before, [...at, index], messages)
    })
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      const known = schema.properties?.[name] ?? schema.additionalProperties
      if (known !== undefined)
        visit(inner, known, (old as Record<string, unknown> | undefined)?.[name], [...at, name], messages)
    }
  }
}

function isMet({ rule }: Rule, variables: Record<string, unknown>): boolean {
  try {
    return compiled(rule)(variables) === true
  } catch {
    // As in the API server: a rule that cannot be evaluated is not met.
    return false
  }
}

function messageOf({ message, messageExpression }: Rule, variables: Record<string, unknown>): string {
  if (messageExpression === undefined) return message
  try {
    return String(compiled(messageExpression)(variables))
  } catch {
    return message
  }
}

function fieldsOf({ fieldPath }: Rule): string[] {
  return fieldPath?.split('.').filter((part) => part !== '') ?? []
}
