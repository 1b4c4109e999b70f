/** What `JSON.parse` does not tell: of two members of one name it keeps the last. */

/** Names that an object has more than once, itself, not what is in it. */
export const repeatedKeys = (json: string): string[] => {
  const seen = new Set<string>()
  const repeated: string[] = []
  let depth = 0
  for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth += 1
    else if (token === '}' || token === ']') depth -= 1
    else if (colon !== undefined && depth === 1) {
      const name = JSON.parse(token.slice(0, -colon.length)) as string
      if (seen.has(name)) repeated.push(name)
      seen.add(name)
    }
  }
  return repeated
}
