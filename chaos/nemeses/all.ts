/** Every nemesis by its name. */

import { bitFlips } from './bitFlips.ts'
import { blockedLoop } from './blockedLoop.ts'
import { brokerPause } from './brokerPause.ts'
import { brokerRestart } from './brokerRestart.ts'
import { clockOffset } from './clockOffset.ts'
import { fileLimit } from './fileLimit.ts'
import { drainMember } from './drain.ts'
import { forgetfulKill } from './forgetfulKill.ts'
import { fullDisk } from './fullDisk.ts'
import { jepsenNats } from './jepsenNats.ts'
import { join } from './join.ts'
import { kill } from './kill.ts'
import { killForGood } from './killForGood.ts'
import { killLeader } from './killLeader.ts'
import { lameDuck } from './lameDuck.ts'
import { clientLinks, nodeLinks, peersCut } from './links.ts'
import { oldDirectory } from './oldDirectory.ts'
import { pauseNodes } from './pause.ts'
import { rollingRestart } from './rollingRestart.ts'
import { rollingUpgrade } from './rollingUpgrade.ts'
import { routeCut, routeStall } from './routeCut.ts'
import { slowDisk } from './slowDisk.ts'
import { syncFailure } from './syncFailure.ts'
import { twin } from './twin.ts'
import { weather } from './weather.ts'
import { writeFailure } from './writeFailure.ts'
import type { Nemesis } from './nemesis.ts'

export const nemeses: readonly Nemesis[] = [
  kill, killLeader, pauseNodes, lameDuck, brokerRestart, brokerPause, routeCut, routeStall, weather, nodeLinks, clientLinks, peersCut,
  forgetfulKill, jepsenNats, syncFailure, writeFailure, slowDisk, fullDisk, blockedLoop, clockOffset, fileLimit, twin,
  rollingRestart, rollingUpgrade,
  bitFlips, oldDirectory,
  join, drainMember, killForGood,
]

export const nemesisNames: readonly string[] = nemeses.map(({ name }) => name)
