/**
 * What the log can not say of itself goes to standard error, where somebody may look. That may be on the same full disk: then nobody hears
 * it, and nothing else comes of it.
 */

import { openDescriptor } from '../storage/descriptor.ts'

const STANDARD_ERROR = 2

export const tellOperator = (text: string): void => {
  try {
    openDescriptor(STANDARD_ERROR).writeSync(Buffer.from(`shardkv: ${text}\n`))
  } catch {
    // There is nowhere left to say it.
  }
}

/** The first error of a target. */
export const tellOnce = (target: string): ((error: Error) => void) => {
  let isTold = false
  return (error) => {
    if (!isTold) tellOperator(`the log target ${target} fails, lines are lost: ${error.message}`)
    isTold = true
  }
}
