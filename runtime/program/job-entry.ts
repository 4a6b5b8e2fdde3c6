/**
 * Which part of an artifact is the job: a module of a package, a function that a module exports, or both.
 *
 *     jobs/fraud.mjs            the module's own `main`
 *     fraudJob                  a function that the artifact's module exports
 *     jobs/fraud.mjs#fraudJob   both
 */
export interface JobEntry {
  /** A path in the package; undefined: its own. */
  module?: string
  /** Name of an export; undefined: `main`, else the default one. */
  main?: string
}

const MODULE = /\.[mc]?[jt]sx?$/
const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/**
 * Of `tailrace.job.entry`, or a request's.
 *
 * @example
 * jobEntry('jobs/fraud.mjs#fraudJob') // { module: 'jobs/fraud.mjs', main: 'fraudJob' }
 */
export function jobEntry(text: string | undefined): JobEntry {
  if (text === undefined || text === '') return {}
  const [, module, main] = /^(.*)#([^#]*)$/.exec(text) ?? []
  if (module !== undefined && MODULE.test(module) && NAME.test(main!)) return { module, main: main! }
  return NAME.test(text) ? { main: text } : { module: text }
}
