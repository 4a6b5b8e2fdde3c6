/**
 * The plan: a job graph as JSON with a hash, and the first difference between two plans in words for a user (TR-PROGRAM-001).
 *
 * Two threads that ran the same program must get the same hash; so the plan holds nothing of its thread, and is built in one order.
 */
import { createHash } from 'node:crypto'
import { fingerprint } from './fingerprint.ts'
import type { JobConfig, JobGraph, Partitioner, Plan, PlanEdge, PlanOperator, PlanVertex } from './model.ts'

export function buildPlan(graph: JobGraph): Plan {
  const vertices = graph.vertices.map((vertex): PlanVertex => {
    return {
      id: vertex.id,
      name: vertex.name,
      parallelism: vertex.parallelism,
      maxParallelism: vertex.maxParallelism,
      maxParallelismSet: vertex.maxParallelismSet,
      ...(vertex.operators.some(({ node }) => node.forceNonParallel) ? { nonParallel: true } : {}),
      slotSharingGroup: vertex.slotSharingGroup,
      isSource: vertex.operators[0]!.node.isSource,
      operators: vertex.operators.map(({ operatorId, name, parent, tag, node }): PlanOperator => {
        return {
          operatorId,
          name,
          uid: node.uid ?? null,
          description: node.description ?? null,
          module: node.spec.module,
          parent,
          tag: tag ?? null,
          isSource: node.isSource,
          isSink: node.isSink,
          settings: fingerprint(node.spec.options),
        }
      }),
    }
  })
  const edges = graph.edges.map(
    (edge): PlanEdge => ({
      id: edge.id,
      from: edge.from,
      fromOperator: edge.fromOperator,
      tag: edge.tag ?? null,
      to: edge.to,
      inputIndex: edge.inputIndex,
      partitioner: edge.partitioner.kind,
      settings: partitionerSettings(edge.partitioner),
      bufferTimeoutMs: edge.bufferTimeoutMs,
      type: edge.type ?? null,
    }),
  )
  const config = sortedConfig(graph.config)
  const hash = createHash('sha256').update(JSON.stringify({ config, vertices, edges })).digest('hex')
  return { config, vertices, edges, hash }
}

function partitionerSettings({ kind, ...functions }: Partitioner): Record<string, string> {
  return fingerprint(functions)
}

/** Parameters and options in one order, however the program set them. */
function sortedConfig(config: JobConfig): JobConfig {
  const sorted = (record: Record<string, string>) =>
    Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
  // undefined does not survive JSON, and the plan must be equal to its own copy.
  const { maxParallelism, ...rest } = config
  const parameters = sorted(config.parameters)
  const options = sorted(config.options)
  return { ...rest, parameters, options, ...(maxParallelism === undefined ? {} : { maxParallelism }) } as JobConfig
}

/**
 * Where two plans part, undefined when they are equal. `a` is the plan that was submitted, `b` the one built again.
 *
 * @example
 * firstDifference(a, b) // 'operator "Map" has the option fn function 1f0c… the first time and function 77ab… the second'
 */
export function firstDifference(a: Plan, b: Plan): string | undefined {
  if (a.hash === b.hash) return undefined
  return (
    differentConfig(a.config, b.config) ??
    differentOperators(a, b) ??
    differentVertices(a, b) ??
    differentEdges(a, b) ??
    'the shape of the graph'
  )
}

function differentConfig(a: JobConfig, b: JobConfig): string | undefined {
  for (const part of ['parameters', 'options'] as const) {
    for (const key of union(a[part], b[part])) {
      const what = part === 'parameters' ? 'job parameter' : 'configuration key'
      if (a[part][key] !== b[part][key]) return `the ${what} "${key}" ${values(a[part][key], b[part][key])}`
    }
  }
  for (const key of union(a, b) as (keyof JobConfig)[]) {
    if (key === 'parameters' || key === 'options') continue
    if (a[key] !== b[key]) return `the job's ${key} ${values(a[key], b[key])}`
  }
  return undefined
}

/** In the order of the plan, so that the first difference is the one furthest upstream. */
function differentOperators(a: Plan, b: Plan): string | undefined {
  const listA = a.vertices.flatMap((v) => v.operators.map((operator) => ({ operator, vertex: v })))
  const listB = b.vertices.flatMap((v) => v.operators.map((operator) => ({ operator, vertex: v })))
  for (let i = 0; i < Math.max(listA.length, listB.length); i++) {
    const [x, y] = [listA[i], listB[i]]
    if (x === undefined) return `operator "${y!.operator.name}" is there the second time only`
    if (y === undefined) return `operator "${x.operator.name}" is there the first time only`
    const who = `operator "${x.operator.name}"`
    if (x.operator.name !== y.operator.name)
      return `${who} of the first time is "${y.operator.name}" the second (operator ${i + 1} of the plan)`
    for (const key of ['module', 'uid', 'description'] as const) {
      if (x.operator[key] !== y.operator[key])
        return `${who} has the ${key} ${values(x.operator[key], y.operator[key], '')}`
    }
    const setting = differentSetting(x.operator.settings, y.operator.settings)
    if (setting !== undefined) return `${who} has the option ${setting}`
    for (const key of ['parallelism', 'maxParallelism', 'maxParallelismSet', 'slotSharingGroup'] as const) {
      if (x.vertex[key] !== y.vertex[key]) return `${who} has the ${key} ${values(x.vertex[key], y.vertex[key], '')}`
    }
  }
  return undefined
}

function differentVertices(a: Plan, b: Plan): string | undefined {
  for (const [i, vertex] of a.vertices.entries()) {
    const other = b.vertices[i]?.name
    if (vertex.name !== other)
      return `the chain "${vertex.name}" is ${other === undefined ? 'gone' : `"${other}"`} the second time`
  }
  return undefined
}

function differentEdges(a: Plan, b: Plan): string | undefined {
  const nameOf = (plan: Plan, edge: PlanEdge) => {
    const from = plan.vertices.find((v) => v.id === edge.from)?.operators[edge.fromOperator]?.name
    const to = plan.vertices.find((v) => v.id === edge.to)?.operators[0]?.name
    return `the edge from "${from}" to "${to}"`
  }
  for (const [i, edge] of a.edges.entries()) {
    const other = b.edges[i]
    if (other === undefined) return `${nameOf(a, edge)} is there the first time only`
    if (nameOf(a, edge) !== nameOf(b, other)) return `${nameOf(a, edge)} is ${nameOf(b, other)} the second time`
    const setting = differentSetting(edge.settings, other.settings)
    if (setting !== undefined) return `${nameOf(a, edge)} has the ${setting}`
    for (const key of ['partitioner', 'tag', 'inputIndex', 'fromOperator', 'bufferTimeoutMs', 'type'] as const) {
      const [x, y] = [JSON.stringify(edge[key]), JSON.stringify(other[key])]
      if (x !== y) return `${nameOf(a, edge)} has the ${key} ${values(x, y, '')}`
    }
  }
  const extra = b.edges[a.edges.length]
  return extra === undefined ? undefined : `${nameOf(b, extra)} is there the second time only`
}

function differentSetting(a: Record<string, string>, b: Record<string, string>): string | undefined {
  for (const key of union(a, b)) {
    if (a[key] !== b[key]) return `${key === '' ? 'value' : key} ${values(a[key], b[key], '')}`
  }
  return undefined
}

function union(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
}

function values(a: unknown, b: unknown, verb = 'is '): string {
  const text = (v: unknown) => (v === undefined || v === null ? 'not set' : String(v))
  return `${verb}${text(a)} the first time and ${text(b)} the second`
}
