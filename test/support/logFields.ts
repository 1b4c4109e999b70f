/**
 * The fields that the sources give to lines of the log, read from the sources themselves: of every call of a logger's method the members of
 * its first argument. A name is followed to where the same file gives it its value, a call to the function of that name in any file.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from '@swc/core'

interface SyntaxNode {
  readonly type: string
  readonly span?: { readonly start: number }
  readonly [field: string]: unknown
}

export interface FoundFields {
  /** By name: where the first is. */
  readonly fields: ReadonlyMap<string, string>
  /** Arguments of which nothing can be read. */
  readonly unread: readonly string[]
}

const methods = new Set(['error', 'warn', 'info', 'debug', 'trace', 'fatal', 'child'])

export const logFieldsIn = (folders: readonly string[]): FoundFields => {
  const files = folders.flatMap(sourcesIn).map((path) =>
    ({ path, nodes: nodesOf(parseSync(readFileSync(path, 'utf8'), { syntax: 'typescript' })) }))
  const everywhere = new Map(files.flatMap(({ nodes }) => [...valuesIn(nodes)]))
  const fields = new Map<string, string>()
  const unread: string[] = []
  for (const { path, nodes } of files) {
    const here = valuesIn(nodes)
    for (const argument of nodes.flatMap(fieldsArgument)) {
      const names = namesIn(argument, { here, everywhere })
      if (names === null) unread.push(`${path}: ${textOf(argument)}`)
      for (const name of names ?? []) if (!fields.has(name)) fields.set(name, path)
    }
  }
  return { fields, unread }
}

const sourcesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts')).map((name) => join(folder, name)).toSorted()

const nodesOf = (root: unknown): SyntaxNode[] => {
  const nodes: SyntaxNode[] = []
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if (typeof (value as SyntaxNode).type === 'string') nodes.push(value as SyntaxNode)
    for (const [name, inner] of Object.entries(value)) if (name !== 'span') walk(inner)
  }
  walk(root)
  return nodes
}

type Values = ReadonlyMap<string, SyntaxNode>

/** What `const name = ...` has given to names. */
const valuesIn = (nodes: readonly SyntaxNode[]): Values => new Map(nodes.flatMap((node) => {
  if (node.type !== 'VariableDeclarator' || node['init'] === null) return []
  const { value } = node['id'] as { readonly value?: string }
  return value === undefined ? [] : [[value, node['init'] as SyntaxNode]]
}))

/** `log.warn({ ... }, ...)`, `ports.log.info(...)`, `shardLog.child(...)`, `log[level](...)`; pino's own root is a logger, too. */
const fieldsArgument = (node: SyntaxNode): SyntaxNode[] => {
  if (node.type !== 'CallExpression') return []
  const { object, property } = node['callee'] as { readonly object?: SyntaxNode; readonly property?: SyntaxNode }
  if (object === undefined || property === undefined) return []
  const isMethod = property.type === 'Computed' || methods.has(String(property['value']))
  const [first] = node['arguments'] as { readonly expression: SyntaxNode }[]
  return isMethod && /(?:^root|log)$/i.test(lastName(object)) && first !== undefined ? [first.expression] : []
}

const lastName = (node: SyntaxNode): string =>
  (node.type === 'MemberExpression' ? lastName(node['property'] as SyntaxNode) : valueIn(node))

/** Null: they can not be read. */
const namesIn = (node: SyntaxNode, scope: { readonly here: Values; readonly everywhere: Values }): string[] | null => {
  const of: NamesOf = (...parts) => joined(parts.map((part) => namesIn(part as SyntaxNode, scope)))
  const valueOf = (values: Values, name: unknown): string[] | null => {
    const value = values.get(String(name))
    return value === undefined ? null : of(value)
  }
  switch (node.type) {
    case 'ObjectExpression': return joined((node['properties'] as SyntaxNode[]).map((member) => memberNames(member, of)))
    case 'Identifier': return valueOf(scope.here, node['value'])
    case 'ParenthesisExpression': case 'TsAsExpression': return of(node['expression'])
    case 'ConditionalExpression': return of(node['consequent'], node['alternate'])
    case 'CallExpression': return valueOf(scope.everywhere, (node['callee'] as SyntaxNode)['value'])
    case 'ArrowFunctionExpression': return of(node['body'])
    case 'BlockStatement': return of(...nodesOf(node).filter(({ type }) => type === 'ReturnStatement').map((each) => each['argument']))
    default: return null
  }
}

type NamesOf = (...parts: readonly unknown[]) => string[] | null

const joined = (names: readonly (string[] | null)[]): string[] | null =>
  (names.includes(null) ? null : names.flatMap((each) => each ?? []))

/** `name: value`, `name` alone, or `...others`. */
const memberNames = (member: SyntaxNode, of: NamesOf): string[] | null => {
  if (member.type === 'KeyValueProperty') return [String((member['key'] as SyntaxNode)['value'])]
  return member.type === 'Identifier' ? [String(member['value'])] : of(member['arguments'])
}

const textOf = (node: SyntaxNode): string => `${node.type} ${valueIn(node)}`

/** Of a name or a text; empty of anything else. */
const valueIn = ({ value }: SyntaxNode): string => (typeof value === 'string' ? value : '')
