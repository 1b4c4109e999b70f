/** Tables for people: aligned columns, no lines, two blanks between. */

import Table from 'cli-table3'

const plainFrame = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
}

export interface TableOptions {
  /** Columns whose cells are numbers: aligned on their right. */
  readonly numeric?: readonly number[]
}

export const table = (head: readonly string[], rows: readonly (readonly string[])[], { numeric = [] }: TableOptions = {}): string => {
  const drawn = new Table({
    head: [...head],
    chars: plainFrame,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, column) => (numeric.includes(column) ? 'right' : 'left')),
  })
  for (const row of rows) drawn.push([...row])
  return drawn.toString().split('\n').map((line) => line.trimEnd()).join('\n')
}
