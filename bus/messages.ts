/** Everything one actor may say to another across nodes. The codec knows exactly these; nothing else arrives. */

import type { RaftMail } from '../actors/raft/protocol.ts'
import type { ShardMessage } from '../actors/shard/protocol.ts'

export type ActorMessage =
  | ({ readonly type: 'raft' } & RaftMail)
  | ShardMessage
