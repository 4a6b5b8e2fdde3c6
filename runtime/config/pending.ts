/**
 * Options that are defined and that nothing reads yet. They are taken, held to their types, and warned about; docs/configuration.md lists them apart. Whoever makes a part read one takes
 * it out of here: catalogue.test.ts holds the list to what the sources read.
 */
export const PENDING: ReadonlySet<string> = new Set([])
