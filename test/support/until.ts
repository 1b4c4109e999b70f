/** Waits for a condition, with a deadline: a test neither sleeps nor hangs. */

const POLL_MS = 1
const DEADLINE_MS = 10_000

export const until = async (isMet: () => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<void> => {
  const giveUpAt = performance.now() + deadlineMs
  while (!isMet()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
