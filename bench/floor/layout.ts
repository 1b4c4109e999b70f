/** Where things are on the floor: fixed, known to its nodes and its client alike. */

export const FLOOR_NODES = 3
export const FLOOR_SHARDS = 16
export const FLOOR_READY_LINE = 'the floor node is ready'

export const leaderOf = (shard: number): number => shard % FLOOR_NODES

export const requestSubject = (node: number): string => `floor.request.${node}`

export const nodeSubject = (to: number, from: number): string => `floor.node.${to}.${from}`
