/** A key as recordings show it: a binary string with every byte that is not printable escaped, and cut where it is long. */

const SHOWN_MAX = 96

export const displayKey = (key: string): string => {
  let text = ''
  for (const character of key.slice(0, SHOWN_MAX)) {
    const code = character.charCodeAt(0)
    text += code >= 0x20 && code < 0x7f && character !== '%' ? character : `%${code.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return key.length > SHOWN_MAX ? `${text}...` : text
}
