/** One seed for everything random in a run: CI sets SHARDKV_SEED from the commit's tree, so that a red run is red again. */

import { configureGlobal } from 'fast-check'

const seed = Number(process.env.SHARDKV_SEED)
if (Number.isSafeInteger(seed) && seed > 0) configureGlobal({ seed: seed | 0 })
