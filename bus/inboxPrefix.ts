/** Under which subject a client hears answers: nodes answer in and under `_INBOX`, and nowhere else (docs/SUBJECTS.md). */

export const INBOX_PREFIX_LENGTH_MAX = 200

export const isInboxPrefix = (text: string): boolean =>
  /^_INBOX(?:\.[^\s.*>]+)*$/.test(text) && text.length <= INBOX_PREFIX_LENGTH_MAX
