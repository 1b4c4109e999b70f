/**
 * Style as a unit test (after TigerBeetle's tidy.zig): what a reader may rely on everywhere, checked on every file. Each message names
 * the place and the cure. Import rules between folders are in .dependency-cruiser.cjs; this file looks inside files.
 */

import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { parseSync } from '@swc/core'

const FILE_LINES_MAX = 500
const FUNCTION_LINES_MAX = 70
const CLOSURE_LINES_MAX = 150
const LINE_COLUMNS_MAX = 140
/** The threats of the plan that docs/TESTING.md lists, numbered from 1. */
const THREATS = 26

const folders = [
  'actors', 'bus', 'topology', 'storage', 'gateway', 'observe', 'sim', 'cli', 'sdk', 'bench', 'chaos', 'lanes', 'torture', 'fuzz', 'test',
]

interface SourceFile {
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

interface SyntaxNode {
  readonly type: string
  readonly span?: { readonly start: number; readonly end: number }
  readonly [field: string]: unknown
}

interface Visit {
  readonly node: SyntaxNode
  readonly parent: SyntaxNode | null
}

const filesIn = (folder: string): SourceFile[] => {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.ts')).sort().map((name) => {
    const path = `${folder}/${name}`
    const text = readFileSync(path, 'utf8')
    return { path, text, lines: text.split('\n') }
  })
}

const files = folders.flatMap(filesIn)
const sources = files.filter((file) => !file.path.startsWith('test/'))

/** Cores and charts: an actor's folder without its shell. The kernel is exempt: it holds the clock and the shell. */
const cores = sources.filter(({ path }) => /^actors\/(?!kernel\/)[^/]+\//.test(path) && !path.endsWith('/actor.ts'))

const parsed = new Map<string, readonly Visit[]>()

/** Every node of the file's syntax tree with its parent, in document order. */
const visitsOf = (file: SourceFile): readonly Visit[] => {
  const known = parsed.get(file.path)
  if (known !== undefined) return known
  const visits: Visit[] = []
  const walk = (value: unknown, parent: SyntaxNode | null): void => {
    if (typeof value !== 'object' || value === null) return
    if (Array.isArray(value)) {
      for (const item of value) walk(item, parent)
      return
    }
    const isNode = typeof (value as { type?: unknown }).type === 'string'
    const node = value as SyntaxNode
    if (isNode) visits.push({ node, parent })
    for (const [name, inner] of Object.entries(node)) if (name !== 'span') walk(inner, isNode ? node : parent)
  }
  walk(parseSync(file.text, { syntax: 'typescript' }), null)
  parsed.set(file.path, visits)
  return visits
}

/** swc counts bytes from 1. */
const lineOf = (file: SourceFile, byte: number): number =>
  Buffer.from(file.text).subarray(0, byte - 1).toString().split('\n').length

const at = (file: SourceFile, node: SyntaxNode): string => `${file.path}:${lineOf(file, node.span?.start ?? 1)}`

/** The file without comments and strings, line numbers kept: what is left is code. */
const codeOf = (file: SourceFile): string =>
  file.text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'/g, (match) => match.replaceAll(/[^\n]/g, ' '))

const matches = (file: SourceFile, pattern: RegExp): string[] =>
  codeOf(file).split('\n').flatMap((line, i) => (pattern.test(line) ? [`${file.path}:${i + 1}: ${line.trim()}`] : []))

const importsOf = (file: SourceFile): { readonly node: SyntaxNode; readonly from: string; readonly isType: boolean }[] =>
  visitsOf(file).filter(({ node }) => node.type === 'ImportDeclaration').map(({ node }) => ({
    node, from: (node['source'] as { value: string }).value, isType: node['typeOnly'] === true,
  }))

const functionTypes = new Set(['ArrowFunctionExpression', 'FunctionDeclaration', 'FunctionExpression', 'ClassMethod', 'MethodProperty'])

/** `describe(...)` callbacks are chapters, not functions. */
const isChapter = (visits: readonly Visit[], node: SyntaxNode): boolean => visits.some(({ node: call }) => {
  if (call.type !== 'CallExpression') return false
  const { callee, arguments: args } = call as unknown as { callee: { value?: string }; arguments: { expression: SyntaxNode }[] }
  return callee.value === 'describe' && args.some(({ expression }) => expression === node)
})

/**
 * A function's own lines: those of the functions inside it are theirs, but for one line each. So a factory of closures, which is
 * what this code has in place of classes, is held to CLOSURE_LINES_MAX as a whole and to FUNCTION_LINES_MAX for what is its own.
 */
const longFunctions = (file: SourceFile): string[] => {
  const visits = visitsOf(file)
  const spans = visits.filter(({ node }) => functionTypes.has(node.type) && !isChapter(visits, node)).map(({ node }) => ({
    node, from: lineOf(file, node.span?.start ?? 1), to: lineOf(file, node.span?.end ?? 1),
  }))
  return spans.flatMap(({ node, from, to }) => {
    const inside = spans.filter((one) => one.node !== node && one.from >= from && one.to <= to && one.to > one.from)
    const outermost = inside.filter((one) => !inside.some((other) => other !== one && other.from <= one.from && other.to >= one.to))
    const total = to - from + 1
    const own = total - outermost.reduce((sum, one) => sum + one.to - one.from, 0)
    if (own <= FUNCTION_LINES_MAX && total <= CLOSURE_LINES_MAX) return []
    return [`${at(file, node)}: ${own} lines of its own, ${total} in all; cure: give its parts names, or a file (better 40)`]
  })
}

const nodesOfType = (types: readonly string[], isWanted: (node: SyntaxNode) => boolean = () => true) =>
  (file: SourceFile): string[] =>
    visitsOf(file).filter(({ node }) => types.includes(node.type) && isWanted(node)).map(({ node }) => at(file, node))

const each = (list: readonly SourceFile[], rule: (file: SourceFile) => string[]): string[] => list.flatMap(rule)

describe('every file', () => {
  test('is found at all', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(cores.length).toBeGreaterThan(5)
  })

  test('has at most 500 lines; cure: split it by noun', () => {
    expect(each(files, (file) => (file.lines.length - 1 > FILE_LINES_MAX ? [`${file.path}: ${file.lines.length - 1}`] : []))).toEqual([])
  })

  test('has lines of at most 140 columns; cure: wrap at 100', () => {
    expect(each(files, ({ path, lines }) =>
      lines.flatMap((line, i) => (line.length > LINE_COLUMNS_MAX ? [`${path}:${i + 1}: ${line.length}`] : [])))).toEqual([])
  })

  test('has no two blank lines in a row, and none at its end; cure: one, and none', () => {
    expect(each(files, ({ path, lines }) =>
      lines.flatMap((line, i) => (line === '' && lines[i - 1] === '' ? [`${path}:${i + 1}`] : [])))).toEqual([])
  })

  test('opens with a comment that says what it is', () => {
    expect(each(files, ({ path, text }) => {
      const header = /^(?:#![^\n]*\n)?\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? ''
      return header === '' ? [`${path}: cure: /** What this file is, its invariants, its sources. */`] : []
    })).toEqual([])
  })

  test('has functions of at most 70 lines, closures of at most 150', () => {
    expect(each(files, longFunctions)).toEqual([])
  })

  test('has no default export; cure: export it by its name', () => {
    expect(each(files, nodesOfType(['ExportDefaultDeclaration', 'ExportDefaultExpression']))).toEqual([])
  })

  test('has no any; cure: unknown, and a check', () => {
    expect(each(files, nodesOfType(['TsKeywordType'], (node) => node['kind'] === 'any'))).toEqual([])
  })

  test('has no non-null assertion; cure: must() from actors/kernel/assert.ts', () => {
    expect(each(files, nodesOfType(['TsNonNullExpression']))).toEqual([])
  })

  test('has no enum; cure: a const object and the union of its values', () => {
    expect(each(files, nodesOfType(['TsEnumDeclaration']))).toEqual([])
  })

  test('has no class but errors; cure: a function that returns an object of functions', () => {
    const isPlain = (node: SyntaxNode): boolean => !((node['superClass'] as { value?: string } | null)?.value ?? '').endsWith('Error')
    expect(each(files, nodesOfType(['ClassDeclaration', 'ClassExpression'], isPlain))).toEqual([])
  })

  test('leaves nothing for later; cure: do it, or file an issue', () => {
    const marker = /\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/
    expect(each(files, ({ path, lines }) => lines.flatMap((line, i) => (marker.test(line) ? [`${path}:${i + 1}`] : [])))).toEqual([])
  })

  test('names its relative imports with .ts', () => {
    expect(each(files, (file) => importsOf(file)
      .filter(({ from }) => from.startsWith('.') && !/\.(ts|json)$/.test(from))
      .map(({ node, from }) => `${at(file, node)}: ${from}`))).toEqual([])
  })
})

describe('a core or chart', () => {
  const forbidden: readonly (readonly [string, RegExp, string])[] = [
    ['the global Buffer', /\bBuffer\b/, 'Uint8Array, DataView, TextEncoder'],
    ['the clock', /\bDate\b|\bperformance\b/, 'time arrives in events'],
    ['Math.random', /\bMath\.random\b/, 'an injected Random'],
    ['timers', /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame)\b/, 'count ticks'],
    ['async code', /\basync\b|\bawait\b|\bPromise\b/, 'an effect, and an event when it is done'],
    ['the process', /\bprocess\.\b|\bglobalThis\b/, 'take it in the input'],
    ['the console', /\bconsole\b/, 'an effect that the shell logs'],
  ]
  for (const [what, pattern, cure] of forbidden) {
    test(`knows nothing of ${what}; cure: ${cure}`, () => {
      expect(each(cores, (file) => matches(file, pattern))).toEqual([])
    })
  }

  test('imports nothing of Node; cure: perform it in actor.ts', () => {
    expect(each(cores, (file) => importsOf(file)
      .filter(({ from, isType }) => from.startsWith('node:') && !isType).map(({ node }) => at(file, node)))).toEqual([])
  })

  test('imports xstate only in machine.ts', () => {
    expect(each(cores.filter(({ path }) => !path.endsWith('/machine.ts')), (file) => importsOf(file)
      .filter(({ from, isType }) => from.startsWith('xstate') && !isType).map(({ node }) => at(file, node)))).toEqual([])
  })
})

describe('docs/TESTING.md', () => {
  test('names tests that are there; cure: write the new name into its table', () => {
    const rows = [...readFileSync('docs/TESTING.md', 'utf8').matchAll(/^\|[^|]*\| ([^|]+) \| `([a-z/]+)` \|$/gimu)]
    const missing = rows.flatMap(([, name = '', stem = '']) => {
      const path = stem.includes('/') ? `${stem}.test.ts` : `test/paper/${stem}.test.ts`
      const text = files.find((file) => file.path === path)?.text.replaceAll("\\'", "'") ?? ''
      return text.includes(`('${name}'`) || text.includes(`('${name}: %s'`) ? [] : [`${path}: ${name}`]
    })
    expect(missing).toEqual([])
    expect(rows.length).toBeGreaterThan(20)
  })

  test('names an attack for every threat; cure: a story, and its row in "Threats and what attacks them"', () => {
    const section = readFileSync('docs/TESTING.md', 'utf8').split('\n## ').find((text) => text.startsWith('Threats')) ?? ''
    const [table = '', notYet = ''] = section.split('\nNot yet: ')
    const attacked = [...table.matchAll(/^\| T(\d+) /gm), ...notYet.matchAll(/\bT(\d+) /g)].map(([, number]) => Number(number))
    expect(attacked.sort((a, b) => a - b)).toEqual(Array.from({ length: THREATS }, (_, i) => i + 1))
  })
})

test('a table of a page is one piece: an empty line ends it, and what follows is drawn as bars; cure: remove that line', () => {
  const inDocs = readdirSync('docs').filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  const pages = ['README.md', 'CONTRIBUTING.md', ...inDocs]
  const torn = pages.flatMap((path) => {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.flatMap((line, i) => {
      const isHead = line.startsWith('|') && lines[i - 1]?.startsWith('|') !== true
      return isHead && !/^\|[-:| ]+\|$/.test(lines[i + 1] ?? '') ? [`${path}:${i + 1}`] : []
    })
  })
  expect(torn).toEqual([])
})

describe('package-lock.json', () => {
  interface LockedPackage {
    readonly optionalDependencies?: Readonly<Record<string, string>>
    readonly resolved?: string
  }
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { readonly packages: Readonly<Record<string, LockedPackage>> }
  const { packages } = lock

  test('lists the binaries of every platform; cure: remove it and node_modules, npm install --package-lock-only', () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) => Object.keys(optionalDependencies)
      .filter((name) => packages[`${path}/node_modules/${name}`] === undefined && packages[`node_modules/${name}`] === undefined))
    expect(missing).toEqual([])
  })

  test('names no other registry than npm\'s own', () => {
    const hosts = Object.values(packages).flatMap(({ resolved }) => (resolved === undefined ? [] : [new URL(resolved).host]))
    expect([...new Set(hosts)].filter((host) => host !== 'registry.npmjs.org')).toEqual([])
  })
})

describe('libraries stay where they belong', () => {
  const homes: readonly (readonly [string, RegExp, RegExp, string])[] = [
    ['nats', /^nats$/, /^bus\/nats\.ts$|^bench\/floor\//, 'take a Bus (bus/port.ts)'],
    ['node:fs', /^(?:node:)?fs(?:\/promises)?$/, /^storage\/|^chaos\/|^bench\/floor\//, 'take a port of storage/'],
    ['pino', /^pino|^@opentelemetry/, /^observe\/|^actors\/[^/]+\/actor\.ts$/, 'take a Logger (actors/kernel/log.ts)'],
    ['xstate', /^xstate/, /machine\.ts$|^actors\/kernel\/shell\.ts$|^observe\//, 'a chart in machine.ts'],
    ['node:child_process', /^(?:node:)?child_process$/, /^topology\/launcher\/|^chaos\//, 'take the launcher\'s process port'],
  ]
  for (const [what, pattern, home, cure] of homes) {
    test(`${what}; cure: ${cure}`, () => {
      expect(each(sources.filter(({ path }) => !home.test(path)), (file) => importsOf(file)
        .filter(({ from, isType }) => pattern.test(from) && !isType).map(({ node }) => at(file, node)))).toEqual([])
    })
  }
})
