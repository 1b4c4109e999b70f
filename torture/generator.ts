/**
 * A generator of images: disks as a crash, a fault or damage may leave them. It numbers what it can make, pass by pass, so that a plan
 * (lanes/plan.ts) can take all of it or an even sample, and so that one number makes one image again.
 */

/** How a restart on an image ended. `problem`: what must never be. */
export interface Verdict {
  readonly kind: string
  /** Records that the log had acknowledged before it was interrupted, where a generator counts them. */
  readonly acknowledged?: number
  readonly problem?: string
}

export interface Generator {
  readonly name: string
  /** Its part of the images of a run, relative to the others'. */
  readonly share: number
  /** How many images a pass has: pass 0 is made by hand, the others are drawn from the seed. */
  readonly sizeOf: (pass: number) => number
  readonly judge: (pass: number, index: number) => Verdict
}

export const remembered = <T>(make: (pass: number) => T): ((pass: number) => T) => {
  const made = new Map<number, T>()
  return (pass) => {
    const known = made.get(pass)
    if (known !== undefined) return known
    const fresh = make(pass)
    made.set(pass, fresh)
    return fresh
  }
}
