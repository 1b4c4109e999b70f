import { test, expect } from '@jest/globals'
import { mkdtempSync, rmSync } from 'node:fs'
import { createWal } from '/work/main/actors/wal/actor.ts'
import { createNodeFileSystem } from '/work/main/storage/nodeFileSystem.ts'
import { createSystemClock } from '/work/main/actors/kernel/systemClock.ts'
import { silentLogger } from '/work/main/actors/kernel/log.ts'
test('real', async () => {
  const dir = mkdtempSync('/tmp/walsmoke/d-')
  const start = () => { const notices: any[] = []; let wake = () => {}; const wal = createWal({ fileSystem: createNodeFileSystem(dir), clock: createSystemClock(), log: silentLogger, onNotice: (n) => { notices.push(n); wake() }, onFailure: (e) => { throw e } })
    const until = async (f: () => boolean) => { while (!f()) await new Promise<void>((r) => { wake = r }) }
    return { wal, notices, until } }
  const a = start(); a.wal.send({ type: 'wal.open' }); await a.until(() => a.notices.length > 0)
  const t0 = performance.now(); let next = 1; let acked = 0
  const payload = new Uint8Array(256)
  await new Promise((r) => setTimeout(r, 300))
  const lat: number[] = []
  for (let i = 0; i < 300; i++) { const t = performance.now(); a.wal.send({ type: 'wal.append', group: 1, ticket: next, submittedTerm: 1, entries: [{ term: 1, index: next, kind: 1, payload }], reserved: false }); next++; const n = a.notices.length; await a.until(() => a.notices.length > n); lat.push(performance.now() - t) }
  lat.sort((x, y) => x - y)
  const t1 = performance.now()
  for (let b = 0; b < 400; b++) { for (let i = 0; i < 256; i++) { a.wal.send({ type: 'wal.append', group: 1, ticket: next, submittedTerm: 1, entries: [{ term: 1, index: next, kind: 1, payload }], reserved: false }); next++ } await a.until(() => a.notices.at(-1).ticket === next - 1) }
  const us = (performance.now() - t1) * 1000 / (400 * 256)
  console.log('latency p50', lat[150], 'us/entry in groups of 256', us, 'bytes', a.wal.bytes())
  a.wal.send({ type: 'wal.close' }); await a.until(() => a.notices.at(-1).type === 'wal.closed')
  const b = start(); const t2 = performance.now(); b.wal.send({ type: 'wal.open' }); await b.until(() => b.notices.length > 0)
  console.log('replay ms', performance.now() - t2, b.notices[0].report.groups.get(1).entries.length, b.notices[0].report.findings)
  expect(b.notices[0].report.groups.get(1).entries.length).toBe(next - 1)
  b.wal.send({ type: 'wal.close' }); await b.until(() => b.notices.at(-1).type === 'wal.closed')
  rmSync(dir, { recursive: true })
}, 60000)
