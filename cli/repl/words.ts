/**
 * One line of the interactive mode as words, with the quoting of a shell: 'as it is', "with \n \r \t \" and \\", and a backslash before
 * any single character. A quote that does not end is told, not guessed.
 */

export type SplitLine =
  | { readonly ok: true; readonly words: readonly string[] }
  | { readonly ok: false; readonly reason: string }

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** A run of blanks, or one piece of a word: in single quotes, in double quotes, escaped, plain. */
const piece = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy

export const splitLine = (line: string): SplitLine => {
  const words: string[] = []
  let word: string | null = null
  piece.lastIndex = 0
  while (piece.lastIndex < line.length) {
    const at = piece.lastIndex
    const found = piece.exec(line)
    if (found === null) return { ok: false, reason: unfinished(line.slice(at)) }
    const [whole, single, double, escaped, plain] = found
    const text: string | undefined = single ?? (double === undefined ? undefined : unescaped(double)) ?? escaped ?? plain
    if (text !== undefined) word = (word ?? '') + text
    else if (whole !== '' && word !== null) {
      words.push(word)
      word = null
    }
  }
  if (word !== null) words.push(word)
  return { ok: true, words }
}

const unescaped = (text: string): string => text.replaceAll(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter)

const unfinished = (rest: string): string =>
  (rest.startsWith('\\') ? 'a backslash at the end of the line escapes nothing' : `a quote is not closed: ${rest.slice(0, 20)}`)
