/** What to type after a refusal. The node's own words say why, and what would be possible; this says how it is spelled here. */

const hints: Readonly<Record<string, string>> = {
  staleEpoch: 'somebody else changed the cluster meanwhile: look again ("shardkv plan", "shardkv events"), then repeat',
  unknownNode: '"shardkv member list" shows the nodes',
  nodeLeft: '"shardkv node --join --id NODE --dir DIR" brings it back',
  nodeDraining: '"shardkv member activate NODE" ends the drain',
  nodeCarriesReplicas: '"shardkv member drain NODE --wait" first; a lost node is drained the same way',
  lastNode: '"shardkv node --join --id NODE --dir DIR" adds a node',
  tooFewNodes: '"shardkv node --join --id NODE --dir DIR" adds a node; "shardkv cluster replicas N" asks for fewer replicas; a drain and '
    + 'a removal take --force, and then a shard may lose its majority with fewer failures',
  zonesTooFew: '"shardkv node --join --id NODE --zone ZONE --dir DIR" adds a node in a zone of its own; "shardkv member list" shows the '
    + 'zones; with --force it is done all the same, and one zone may take more of a shard with it',
  noRedundancy: 'with --force it is done all the same; "shardkv cluster show" and "shardkv member list" show what there is',
  unknownReplica: '"shardkv shard list" shows who has what',
  unknownGroup: '"shardkv shard list" shows the shards',
  wouldLoseQuorum: 'add a replica first: "shardkv shard move SHARD - NODE"',
  tooFewReplicas: 'give a node that takes its place: "shardkv shard move SHARD FROM TO"',
  moveUnknown: '"shardkv moves" shows what is under way',
  moveInProgress: '"shardkv moves --follow" waits for it, "shardkv cancel MOVE" undoes it',
  paused: '"shardkv resume" lets moves begin again',
  notPaused: '"shardkv pause" first; "shardkv resume" afterwards gives the placement back to the planner',
  undecided: 'are most nodes up? "shardkv status" shows them',
  unauthorised: 'set SHARDKV_ADMIN_TOKEN to the token that the nodes were started with',
  foreignHost: 'name the node by 127.0.0.1 in --admin, or start the nodes with SHARDKV_ADMIN_TOKEN',
}

export const hintFor = (reason: string): string | null => hints[reason] ?? null
