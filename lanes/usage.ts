/** What the command of a lane says of itself (`--help`), and of flags that it can not take: exit code 2. */

/** The message says which flag, and what it may be. */
export class UsageError extends Error {}

/** Runs the command, unless help is asked for. What it throws that is no mistake in its flags is one in the program. */
export const asCommand = async (
  { name, usage }: { readonly name: string, readonly usage: string }, args: readonly string[], run: () => Promise<void>,
): Promise<void> => {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage)
    return
  }
  try {
    await run()
  } catch (error) {
    if (!isUsageError(error)) throw error
    process.stderr.write(`${name}: ${error.message}\n`)
    process.exitCode = 2
  }
}

const isUsageError = (error: unknown): error is Error =>
  error instanceof UsageError
  || (error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_PARSE_ARGS'))

/** Undefined where it was not given. */
export const wholeNumberFrom1 = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new UsageError(`--${name} is a whole number from 1, not "${text}"`)
  return Number(text)
}
