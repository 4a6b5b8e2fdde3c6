/**
 * Reads of a file's parts, one after the other, by fewer and larger requests: a request to S3 costs more than the 256 KB that a chunk of state has.
 *
 * A part of some size fetches what follows it, too, up to {@link WINDOW_BYTES}; parts that lie in what was fetched, or is on its way, are taken from there. What must hold: files never change; no more than
 * {@link WINDOWS_MAX} windows are held, and each goes when its last bytes were taken.
 */
import type { ObjectStore } from './object-store.ts'

const WINDOW_BYTES = (4 << 20) + 1
const WINDOWS_MAX = 8
/** Smaller parts are read as they are: what follows them is of no use to whoever wants a list. */
const AHEAD_FROM_BYTES = 64 << 10

interface Window {
  store: ObjectStore
  key: string
  offset: number
  /** That were asked for. */
  length: number
  /** undefined: there is no such file. */
  bytes: Promise<Uint8Array | undefined>
}

export class ReadAhead {
  /** The one that was used last is the last. */
  #windows: Window[] = []

  /** As the store's `get` with a range; the bytes are not the caller's alone. */
  async get(store: ObjectStore, key: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    const window = this.#find(store, key, offset, length) ?? this.#open(store, key, offset, length)
    if (window === undefined) return store.get(key, { offset, length })
    let bytes: Uint8Array | undefined
    try {
      bytes = await window.bytes
    } catch (error) {
      this.#close(window)
      throw error
    }
    const from = offset - window.offset
    if (bytes === undefined || from + length >= bytes.length) this.#close(window)
    return bytes?.subarray(from, from + length)
  }

  /** Lets go of what nobody has asked for. */
  clear(): void {
    this.#windows = []
  }

  #find(store: ObjectStore, key: string, offset: number, length: number): Window | undefined {
    const at = this.#windows.findIndex(
      (one) =>
        one.store === store && one.key === key && one.offset <= offset && offset + length <= one.offset + one.length,
    )
    if (at < 0) return undefined
    const [window] = this.#windows.splice(at, 1)
    this.#windows.push(window!)
    return window
  }

  #open(store: ObjectStore, key: string, offset: number, length: number): Window | undefined {
    if (length < AHEAD_FROM_BYTES) return undefined
    // Whoever reads on is done with what is before.
    this.#windows = this.#windows.filter(
      (one) => one.store !== store || one.key !== key || one.offset > offset || one.offset + one.length <= offset,
    )
    if (this.#windows.length >= WINDOWS_MAX) this.#windows.shift()
    const wanted = Math.max(length, WINDOW_BYTES)
    const bytes = store.get(key, { offset, length: wanted })
    // Awaited by whoever asks; a failure before it is no unhandled one.
    bytes.catch(() => {})
    const window: Window = { store, key, offset, length: wanted, bytes }
    this.#windows.push(window)
    return window
  }

  #close(window: Window): void {
    this.#windows = this.#windows.filter((one) => one !== window)
  }
}
