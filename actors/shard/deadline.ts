/** Keys in order of their deadlines: seven characters of big-endian time, one byte each, then the key. String order is deadline order. */

const TIME_CHARACTERS = 7
const BYTE = 256

export const deadlineKey = (expiresAtMs: number, key: string): string => {
  let time = ''
  let rest = expiresAtMs
  for (let i = 0; i < TIME_CHARACTERS; i += 1) {
    time = String.fromCharCode(rest % BYTE) + time
    rest = Math.floor(rest / BYTE)
  }
  return time + key
}

export const deadlineOf = (deadline: string): number => {
  let time = 0
  for (let i = 0; i < TIME_CHARACTERS; i += 1) time = time * BYTE + deadline.charCodeAt(i)
  return time
}

export const keyOf = (deadline: string): string => deadline.slice(TIME_CHARACTERS)
