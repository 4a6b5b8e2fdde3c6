/**
 * The arithmetic of state that moves to another parallelism: which of an operator's old state each new subtask is given. Pure; bytes stay where they are.
 *
 * What must hold, for any p → p' (redistribute.test.ts): each row's key group comes to the one subtask that owns it; each element of split state comes to exactly
 * one subtask, and to its old one when the parallelism is the same [KG-05]; union state comes to all; each subtask has one copy of broadcast state [B-04].
 */
import { intersectRanges, keyGroupRange } from '../core/key-groups.ts'
import type { KeyedSnapshot, ListMode, ListPart, ListSnapshot, OperatorRestore, OperatorSnapshot } from './model.ts'

/** What subtasks of old took; null: nothing. */
export type OldSubtasks = readonly (OperatorSnapshot | null)[]
export type RestoredList = OperatorRestore['lists'][number]

/** By new subtask: of each old one the chunks that may have rows of its key groups, whole. */
export function dealKeyed(old: OldSubtasks, maxParallelism: number, parallelism: number): KeyedSnapshot[][] {
  return subtasksOf(parallelism, (subtask) => {
    const range = keyGroupRange(maxParallelism, parallelism, subtask)
    return old.flatMap((snapshot) => {
      if (snapshot?.keyed === undefined) return []
      const chunks = snapshot.keyed.chunks.filter(
        ({ firstGroup, lastGroup, rows }) =>
          rows > 0 && intersectRanges(range, { start: firstGroup, end: lastGroup }) !== undefined,
      )
      return chunks.length === 0 ? [] : [{ tables: snapshot.keyed.tables, chunks }]
    })
  })
}

/** By new subtask: its part of every list state of the operator. A state of which it has nothing is left out. */
export function dealLists(old: OldSubtasks, parallelism: number): RestoredList[][] {
  const dealt: RestoredList[][] = subtasksOf(parallelism, () => [])
  /** Where the next split state begins to deal, so that the odd elements of several states do not all come to the first subtasks. */
  let start = 0
  for (const { name, mode, copies } of listsByName(old)) {
    let parts: ListPart[][]
    if (mode === 'union') {
      const all = copies.flatMap((copy) => wholeOf(copy))
      parts = subtasksOf(parallelism, () => all)
    } else if (mode === 'broadcast') {
      const present = copies.filter((copy) => copy !== undefined)
      // One more subtask than before, or one that had finished, has no copy of its own.
      parts = subtasksOf(parallelism, (subtask) => wholeOf(copies[subtask] ?? present[subtask % present.length]))
    } else if (parallelism === old.length) {
      parts = copies.map((copy) => wholeOf(copy))
    } else {
      parts = dealInTurn(copies, parallelism, start)
      start = (start + countElements(copies)) % parallelism
    }
    for (const [subtask, its] of parts.entries()) if (its.length > 0) dealt[subtask]!.push({ name, mode, parts: its })
  }
  return dealt
}

/**
 * Elements in their order, in runs: every subtask gets `total / parallelism` of them, and the first ones from `start` on one more each until none is left.
 */
function dealInTurn(copies: readonly (ListSnapshot | undefined)[], parallelism: number, start: number): ListPart[][] {
  const total = countElements(copies)
  const base = Math.floor(total / parallelism)
  const odd = total % parallelism
  const rest = copies.flatMap((copy) => wholeOf(copy))
  const dealt: ListPart[][] = subtasksOf(parallelism, () => [])
  for (let i = 0; i < parallelism; i++) {
    let wanted = base + (i < odd ? 1 : 0)
    while (wanted > 0) {
      const part = rest[0]!
      const to = Math.min(part.to, part.from + wanted)
      dealt[(start + i) % parallelism]!.push({ ...part, to })
      wanted -= to - part.from
      if (to === part.to) rest.shift()
      else rest[0] = { ...part, from: to }
    }
  }
  return dealt
}

interface NamedList {
  name: string
  mode: ListMode
  /** By old subtask. */
  copies: (ListSnapshot | undefined)[]
}

/** In the order in which the subtasks name them first. */
function listsByName(old: OldSubtasks): NamedList[] {
  const lists = new Map<string, NamedList>()
  for (const [subtask, snapshot] of old.entries()) {
    for (const list of snapshot?.lists ?? []) {
      const key = `${list.mode}/${list.name}`
      let named = lists.get(key)
      if (named === undefined) {
        named = { name: list.name, mode: list.mode, copies: Array(old.length).fill(undefined) }
        lists.set(key, named)
      }
      named.copies[subtask] = list
    }
  }
  return [...lists.values()]
}

/** Nothing of a list without elements. */
function wholeOf(list: ListSnapshot | undefined): ListPart[] {
  if (list === undefined || list.offsets.length === 0) return []
  return [{ handle: list.handle, offsets: list.offsets, from: 0, to: list.offsets.length }]
}

function countElements(copies: readonly (ListSnapshot | undefined)[]): number {
  return copies.reduce((sum, copy) => sum + (copy?.offsets.length ?? 0), 0)
}

function subtasksOf<T>(parallelism: number, make: (subtask: number) => T): T[] {
  return Array.from({ length: parallelism }, (_, subtask) => make(subtask))
}
