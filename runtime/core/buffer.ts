/** Fast Buffer methods that Node has and its types lack. One native call each; positions and lengths in bytes. */
declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string
    utf8Slice(start?: number, end?: number): string
    ucs2Slice(start?: number, end?: number): string
    latin1Write(text: string, offset?: number, length?: number): number
    utf8Write(text: string, offset?: number, length?: number): number
    ucs2Write(text: string, offset?: number, length?: number): number
  }
}

export {}
