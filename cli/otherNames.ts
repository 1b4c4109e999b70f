/** What commands are called in programs that people have in their fingers (redis-cli, etcdctl, nats, kubectl), and here. */

const namesHere: ReadonlyMap<string, string> = new Map(Object.entries({
  set: 'put', write: 'put', read: 'get', cat: 'get', delete: 'del', rm: 'del', remove: 'del', incrby: 'incr',
  expire: 'touch', persist: 'touch', import: 'load', shell: 'repl', info: 'status', ps: 'status', health: 'doctor', check: 'doctor',
  monitor: 'top', stats: 'top', nodes: 'member list', members: 'member list', shards: 'shard list', server: 'start', run: 'start',
}))

/** Null for what has no other name. */
export const otherName = (name: string): string | null => namesHere.get(name) ?? null
