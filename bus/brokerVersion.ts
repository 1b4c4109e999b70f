/**
 * The lowest nats-server versions without a known way around authentication or permissions. Older ones work, with a warning:
 * the broker's permissions are what keeps clients out of the internal subjects (docs/SUBJECTS.md).
 */

const versionPattern = /^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})/

/** The first safe patch of each 2.x line that had one; lines after them are safe, lines before them are not. */
const safePatches: ReadonlyMap<number, number> = new Map([[11, 16], [12, 7]])
const MINOR_MIN = 11

/** One line for the log, or null when the broker's version is not known to be unsafe. */
export const versionWarning = (version: string): string | null => {
  const match = versionPattern.exec(version)
  if (match === null) return `nats-server version "${version.slice(0, 32)}" can not be read; use 2.11.16, 2.12.7 or newer`
  const [major, minor, patch] = match.slice(1).map(Number) as [number, number, number]
  const safePatch = safePatches.get(minor)
  const isSafe = major > 2 || (major === 2 && minor >= MINOR_MIN && (safePatch === undefined || patch >= safePatch))
  if (isSafe) return null
  return `nats-server ${major}.${minor}.${patch} has known ways around authentication; use 2.11.16, 2.12.7 or newer`
}
