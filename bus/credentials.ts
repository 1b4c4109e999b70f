/**
 * What a user's credentials look like. The client library finds out what is none only when the broker asks for it, and then says no more
 * than that connecting failed.
 */

/** Of a user's nkey: 58 digits of base 32, on a line of its own. */
const seedLine = /^SU[A-Z2-7]{56}$/m

/** The seed in a text, be it the file of an nkey or of credentials; null where there is none. */
export const seedIn = (text: string): string | null => seedLine.exec(text)?.[0] ?? null

/** The content of a credentials file: JWT and seed. */
export const isCredentials = (text: string): boolean => /BEGIN NATS USER JWT/.test(text) && seedIn(text) !== null
