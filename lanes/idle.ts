/** A lane that ran nothing has proved nothing: what did not run fails like what ran wrong. */

export interface Part {
  readonly name: string
  /** What it has to show for itself: executions, images, seeds. */
  readonly done: number
}

/** The names of the parts that did nothing. */
export const idleOf = (parts: readonly Part[]): readonly string[] => parts.filter(({ done }) => !(done > 0)).map(({ name }) => name)
