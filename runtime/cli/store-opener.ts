/** Stores of checkpoints for commands. */
import { openObjectStore } from '../checkpoint/open-object-store.ts'
import type { OpenStore } from '../checkpoint/savepoint.ts'
import type { Terminal } from './terminal.ts'

/** `configuration` has what a store needs, such as where S3 is. */
export function storeOpener(configuration: Readonly<Record<string, string>>, terminal: Terminal): OpenStore {
  return (url) =>
    openObjectStore(url, {
      configuration,
      environment: process.env,
      random: Math.random,
      schedule: (ms, callback) => {
        const timer = setTimeout(callback, ms)
        return () => clearTimeout(timer)
      },
      warn: (text) => terminal.error(`! ${text}\n`),
    })
}
