/**
 * Text that has no UTF-8: it holds half of a surrogate pair, as what was cut in the middle of a character does. To encode it would put a
 * replacement character there: another text, and one for many.
 */

/** Of ES2024, and in Node since 20. */
interface WellFormed { readonly isWellFormed: () => boolean }

export const isBroken = (text: string): boolean => !(text as unknown as WellFormed).isWellFormed()
