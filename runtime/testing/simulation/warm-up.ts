/**
 * Loads every module that operators load when they are built. After it an import takes no time but turns of promises; before it a run would wait for files, and events
 * could come in another order.
 */
import { readdirSync } from 'node:fs'
import { hotCopy, oneCopy } from '../../core/hot-copy.ts'

const FOLDERS = ['operators', 'state/heap', 'state/slices']

let warm: Promise<void> | undefined

export function warmUp(): Promise<void> {
  return (warm ??= loadAll())
}

async function loadAll(): Promise<void> {
  const copy = oneCopy.acquire()
  const modules = FOLDERS.flatMap((folder) =>
    readdirSync(new URL(`../../${folder}/`, import.meta.url)).flatMap((file) => {
      const name = /^([\w-]+)\.[jt]s$/.exec(file)?.[1]
      return name === undefined ? [] : [`${folder}/${name}`]
    }),
  )
  const plain = [import('../../program/load.ts'), import('../../state/slices/snapshot.ts')]
  await Promise.all([...modules.map((path) => hotCopy(path, copy)), ...plain])
}
