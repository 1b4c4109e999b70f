/**
 * How a result is printed: as `-w` says. `json` is one line, for programs; `table` is for people; `raw` is the bare data, for pipes: a
 * value's own bytes, or lines of fields separated by tabs.
 */

import pc from 'picocolors'
import { table } from './table.ts'
import type { OutputFormat } from './flags.ts'
import type { CliIo } from './io.ts'

export interface Result {
  /** A string is a whole line or several, without the last line end; bytes go out as they are. */
  readonly raw: string | Uint8Array
  readonly json: unknown
  readonly table: string
}

export const printResult = async (io: CliIo, format: OutputFormat, result: Result): Promise<void> => {
  if (format === 'json') await io.print(`${JSON.stringify(result.json)}\n`)
  else if (format === 'table') await io.print(`${result.table}\n`)
  else {
    await io.print(result.raw)
    // A value's bytes go out unchanged into a pipe; a person gets a line end, and so does every text.
    if (typeof result.raw === 'string' || io.endsValues) await io.print('\n')
  }
}

/** One record as a result: its fields in all three forms; `raw` is what a script wants of it. */
export const recordResult = (
  fields: Readonly<Record<string, string | number>>, raw: string | Uint8Array, json: unknown = fields,
): Result => ({
  raw,
  json,
  table: table(Object.keys(fields).map(headOf), [Object.values(fields).map(String)]),
})

/** `sizeBytes` becomes `SIZE BYTES`. */
const headOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter}`).toUpperCase()

export const tabbed = (rows: readonly (readonly (string | number)[])[]): string => rows.map((row) => row.join('\t')).join('\n')

/** https://no-color.org: any value but the empty one turns colors off. */
const mayColor = ({ env }: CliIo): boolean => (env['NO_COLOR'] ?? '') === ''

export const hasColor = (io: CliIo): boolean => io.isOutputTty && mayColor(io)

export const colorsFor = (io: CliIo): ReturnType<typeof pc.createColors> => pc.createColors(hasColor(io))

/** Of messages: they may go elsewhere than the data. */
export const messageColorsFor = (io: CliIo): ReturnType<typeof pc.createColors> => pc.createColors(io.isErrorTty && mayColor(io))
