/** What the nodes of a cluster say of themselves, asked over one connection. */

import { reportIn } from '../../topology/statusReading.ts'
import type { Bus } from '../../bus/port.ts'
import type { NodeReport } from '../../topology/report.ts'

const STATUS_WAIT_MS = 400

let inboxes = 0

/** Waits for `expected` answers, or as long as an answer may take. */
export const askForReports = (bus: Bus, expected: number): Promise<readonly NodeReport[]> => new Promise((resolve) => {
  const found: NodeReport[] = []
  inboxes += 1
  const inbox = `_INBOX.test.status.${process.pid}.${inboxes}`
  const finish = (): void => {
    clearTimeout(timer)
    subscription.unsubscribe()
    resolve(found)
  }
  const subscription = bus.subscribe(inbox, (message) => {
    const report = reportIn(message)
    if (report === null) return
    found.push(report)
    if (found.length === expected) finish()
  })
  const timer = setTimeout(finish, STATUS_WAIT_MS)
  bus.publish('kv.status', new Uint8Array(0), { reply: inbox })
})

export const brief = ({ node, replicas }: NodeReport): unknown =>
  ({ id: node.id, state: node.state, replicas: replicas.map(({ shard, role, term, leader }) => `${shard} ${role} ${term} ${leader}`) })
