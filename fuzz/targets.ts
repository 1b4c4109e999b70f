/** Every decoder of bytes that come from outside, or from a disk. */

import { batchEntry, configuration } from './targets/entries.ts'
import { clientFrame, nodeFrame } from './targets/batchDoor.ts'
import { brokerBytes } from './targets/brokerBytes.ts'
import { clusterMap, controlMessage, gossipMessage, nodeReport } from './targets/documents.ts'
import { frame } from './targets/frames.ts'
import { genesisFile, mapFile, snapshotFile } from './targets/files.ts'
import { checkpoint, keyTemplate, loadFile, sdkCodecs } from './targets/loadFile.ts'
import { logRecord, logSegment } from './targets/logBytes.ts'
import { clusterState, metaCommand } from './targets/metaGroup.ts'
import { actorsOfNode, feedFrame, keptRequests, recordPage, recordingFile, traceQuestion } from './targets/recordings.ts'
import { batchTraces, keyToken, rawRequest, requestHeaders, subject } from './targets/requests.ts'
import { shardState } from './targets/shardState.ts'
import { snapshotTransfer } from './targets/transfers.ts'
import type { Target } from './target.ts'

export const targets: readonly Target[] = [
  frame, clientFrame, nodeFrame, controlMessage, gossipMessage, batchEntry, configuration, shardState, logRecord, logSegment, snapshotFile,
  genesisFile, subject, keyToken, requestHeaders, rawRequest, clusterMap, nodeReport, loadFile, checkpoint, keyTemplate, sdkCodecs,
  traceQuestion, recordPage, feedFrame, keptRequests, actorsOfNode, metaCommand, clusterState, batchTraces, mapFile, recordingFile,
  snapshotTransfer, brokerBytes,
]
