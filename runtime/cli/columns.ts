/** Rows with their cells below each other, indented by two; columns without any text are left out. Pure. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  const used = (i: number) => (widths[i] ?? 0) > 0
  return rows.map((row) =>
    `  ${row
      .filter((_, i) => used(i))
      .map((cell, i, { length }) => (i === length - 1 ? cell : cell.padEnd(widths.filter((w) => w > 0)[i]!)))
      .join('  ')}`.trimEnd(),
  )
}
