/**
 * What can be said to and by a node's life-cycle actor. All of it is local: the node learns of the world through what its parts
 * report, and tells its composition root (topology/node.ts) what to do next.
 */

export type NodeEvent =
  /** Nobody else answers to this node's name, and no other cluster answers on the prefix. */
  | { readonly type: 'node.identityClear' }
  /** The log was replayed and every hosted replica is open. */
  | { readonly type: 'node.replicasOpened' }
  /** It is known how single-key requests reach leaders. */
  | { readonly type: 'node.joined' }
  | { readonly type: 'node.drain' }
  /** Every leadership was handed over, or the time for it is up. */
  | { readonly type: 'node.handedOver' }
  | { readonly type: 'node.logClosed' }
  /** Fail-stop: `code` is the process's exit code (EXIT_FAILURE or EXIT_REFUSED). */
  | { readonly type: 'node.failed'; readonly reason: string; readonly code: number }

export type NodeEffect =
  | { readonly type: 'node.checkIdentity' }
  | { readonly type: 'node.openReplicas' }
  | { readonly type: 'node.join' }
  | { readonly type: 'node.serve' }
  | { readonly type: 'node.handOver' }
  | { readonly type: 'node.closeLog' }
  | { readonly type: 'node.exit'; readonly code: number; readonly reason: string }

/** Something failed that a restart may cure: the supervisor restarts the process. */
export const EXIT_FAILURE = 1
/** The node refuses to run as it was started (twin, other cluster, damaged directory): a restart cures nothing (sysexits' EX_CONFIG). */
export const EXIT_REFUSED = 78
/** What a node says that refuses to start since it has left the cluster: it is in its reason, for whoever started it. */
export const HAS_LEFT = 'is no member of this cluster any more'
