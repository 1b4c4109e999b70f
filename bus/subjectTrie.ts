/**
 * Who is interested in a subject: subscriptions by token, with NATS' wildcards (`*` is one token, `>` is one or more at the end).
 * Matching walks one branch per wildcard instead of every subscription. Matches come in a fixed order: literal, `*`, `>`, and among
 * equals in the order of subscription.
 */

interface Branch<T> {
  readonly children: Map<string, Branch<T>>
  readonly here: Set<T>
  readonly tail: Set<T>
}

export interface SubjectTrie<T> {
  readonly add: (pattern: string, item: T) => void
  readonly remove: (pattern: string, item: T) => void
  readonly match: (subject: string) => readonly T[]
}

const newBranch = <T>(): Branch<T> => ({ children: new Map(), here: new Set(), tail: new Set() })

export const createSubjectTrie = <T>(): SubjectTrie<T> => {
  const root = newBranch<T>()
  return {
    add: (pattern, item) => setOf(root, pattern).add(item),
    remove: (pattern, item) => removeFrom(root, pattern.split('.'), item),
    match: (subject) => {
      const found: T[] = []
      collect(root, subject.split('.'), 0, found)
      return found
    },
  }
}

const setOf = <T>(root: Branch<T>, pattern: string): Set<T> => {
  let branch = root
  for (const token of pattern.split('.')) {
    if (token === '>') return branch.tail
    const next = branch.children.get(token) ?? newBranch<T>()
    branch.children.set(token, next)
    branch = next
  }
  return branch.here
}

/** Empty branches go, so that inboxes of past requests leave nothing behind. */
const removeFrom = <T>(branch: Branch<T>, tokens: readonly string[], item: T): void => {
  const [token, ...rest] = tokens
  if (token === undefined) {
    branch.here.delete(item)
    return
  }
  if (token === '>') {
    branch.tail.delete(item)
    return
  }
  const next = branch.children.get(token)
  if (next === undefined) return
  removeFrom(next, rest, item)
  if (next.children.size + next.here.size + next.tail.size === 0) branch.children.delete(token)
}

const collect = <T>(branch: Branch<T>, tokens: readonly string[], at: number, found: T[]): void => {
  const token = tokens[at]
  if (token === undefined) {
    for (const item of branch.here) found.push(item)
    return
  }
  const literal = branch.children.get(token)
  if (literal !== undefined) collect(literal, tokens, at + 1, found)
  const any = branch.children.get('*')
  if (any !== undefined) collect(any, tokens, at + 1, found)
  for (const item of branch.tail) found.push(item)
}

/** Whether one subject matches one pattern. A pattern matches itself, so a subscription can be checked against an allow list. */
export const isSubjectMatch = (pattern: string, subject: string): boolean => {
  const wanted = pattern.split('.')
  const tokens = subject.split('.')
  for (const [i, token] of wanted.entries()) {
    if (token === '>') return tokens.length > i
    const actual = tokens[i]
    if (actual === undefined || (token !== '*' && token !== actual)) return false
    if (token === '*' && actual === '>') return false
  }
  return wanted.length === tokens.length
}
