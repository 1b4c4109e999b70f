/**
 * Key templates: `{country}.{admin1}-{admin2}-{name}-{line}`.
 *
 * `{field}` is a field of the record (text, number or boolean), `{line}` the record's number, from 1. One dot outside of braces separates
 * the partition from the key, as in a subject; a dot that comes out of a field is part of the name. Every byte may occur in a
 * name: subjects carry it percent-encoded.
 */

export interface KeyTemplate {
  readonly text: string
  /** The key's full name (binary string) for a record; throws TemplateError when the record lacks a field. */
  readonly keyOf: (record: Readonly<Record<string, unknown>>, line: number) => string
}

export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

type Part = { readonly text: string } | { readonly field: string }

export const LINE_FIELD = 'line'

export const parseTemplate = (text: string): KeyTemplate => {
  const tokens = splitTokens(parseParts(text))
  if (tokens.length > 2) throw new TemplateError('a template has at most one dot outside of braces: partition.key')
  if (tokens.some((parts) => parts.length === 0)) throw new TemplateError('neither the partition nor the key of a template may be empty')
  return {
    text,
    keyOf: (record, line) => {
      const [first = '', second] = tokens.map((parts) => parts.map((part) => partText(part, record, line)).join(''))
      return second === undefined ? keyName(first, line) : partitionName(first, second, line)
    },
  }
}

const parseParts = (text: string): readonly Part[] => {
  const parts: Part[] = []
  for (const [piece] of text.matchAll(/\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (piece === '{' || piece === '}' || piece === '{}') {
      throw new TemplateError(`"${text}" has a brace without a field name; write {field}`)
    }
    parts.push(piece.startsWith('{') ? { field: piece.slice(1, -1) } : { text: piece })
  }
  return parts
}

/** Splits at dots in literal text. */
const splitTokens = (parts: readonly Part[]): readonly (readonly Part[])[] => {
  const tokens: Part[][] = [[]]
  for (const part of parts) {
    const pieces = 'text' in part ? part.text.split('.').map((text): Part => ({ text })) : [part]
    for (const [i, piece] of pieces.entries()) {
      if (i > 0) tokens.push([])
      if (!('text' in piece) || piece.text !== '') tokens.at(-1)?.push(piece)
    }
  }
  return tokens
}

const partText = (part: Part, record: Readonly<Record<string, unknown>>, line: number): string => {
  if ('text' in part) return binary(part.text)
  if (part.field === LINE_FIELD) return String(line)
  const value = Object.hasOwn(record, part.field) ? record[part.field] : undefined
  if (typeof value === 'string') return binary(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new TemplateError(`record ${line} has no text or number in "${part.field}", which the key needs`)
}

const keyName = (key: string, line: number): string => {
  if (key === '') throw new TemplateError(`record ${line} gives an empty key`)
  if (key.startsWith('{')) throw new TemplateError(`record ${line} gives a key that starts with {, which is how partitions are written`)
  return key
}

const partitionName = (partition: string, key: string, line: number): string => {
  if (partition === '' || key === '') throw new TemplateError(`record ${line} gives an empty partition or key`)
  if (partition.includes('}')) throw new TemplateError(`record ${line} gives a partition that holds a }, which is not allowed`)
  return `{${partition}}${key}`
}

const binary = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
