/** Both the start of simulated time and every node's wall clock, in milliseconds since the Unix epoch. */
export const WALL_START_MS = 1_700_000_000_000
