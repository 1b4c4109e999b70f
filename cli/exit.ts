/** How a command ends: its exit code, and one sentence that says what to do next. */

export const ExitCode = { ok: 0, error: 1, usage: 2, notFound: 3, unavailable: 4 } as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** An expected failure: printed as one line, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
