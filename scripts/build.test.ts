import { expect, test } from 'vitest'
import { unrewritten } from './build.ts'

test.each([
  [`new Worker(new URL('./slot-thread.ts', import.meta.url))`, ['./slot-thread.ts']],
  ['await import(`../operators/map.ts?n=${n}`)', ['../operators/map.ts?n=${n}']],
  [`import("./page.tsx")`, ['./page.tsx']],
  [`new URL(\`../\${path}\${extension}\`, import.meta.url)`, []],
  [`import { a } from './a.js'`, []],
  [` * Loads copies: import('./map.ts?n=3')`, []],
  [`// import('./map.ts')`, []],
  [`new URL('./data.tsv', import.meta.url)`, []],
])('unrewritten(%s)', (js, names) => expect(unrewritten(js)).toEqual(names))
