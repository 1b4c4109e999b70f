/** Values are bytes; people and JSON want text. */

/** The bytes as UTF-8, or null when they are not. */
export const textOf = (bytes: Uint8Array): string | null => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/** Of what a stranger may have sent, for a terminal: control characters are blanks. */
export const withoutControls = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ')

/** On one line, for a terminal: control characters, and all bytes of what is no UTF-8, are escaped as JSON would or as \xNN. */
export const readableOf = (bytes: Uint8Array): string => {
  const text = textOf(bytes)
  if (text === null) return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hex(byte))).join('')
  return text.replaceAll(/\p{Cc}/gu, (control) => escapes[control] ?? hex(control.charCodeAt(0)))
}

const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`
