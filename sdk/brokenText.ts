/**
 * Text that has no UTF-8: it holds half of a surrogate pair, as what was cut in the middle of a character does. To encode it would put a
 * replacement character there: another text, and one for many.
 */

const half = /\p{Surrogate}/u

export const isBroken = (text: string): boolean => half.test(text)
