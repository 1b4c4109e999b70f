/**
 * Who may import whom. Every rule's comment names the cure. Type-only imports are free: a contract may be named from
 * anywhere. They are gone before this file is read: run it through scripts/imports.mjs (`npm run check`).
 */

const actorFolder = '^actors/(connection|shard|raft|wal|gossip|topology|node)/'
const core = `${actorFolder}(?!actor\\.ts$|machine\\.ts$).+`

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Files import each other in a circle. Cure: move what both need into a third file, or pass one to the other as a port.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nats-only-in-bus-nats',
      comment: 'The client library stays behind the bus port. Cure: take a Bus (bus/port.ts) and let the caller pass createNatsBus. The bench\'s floor measures what is below that port.',
      severity: 'error',
      from: { pathNot: '^(bus/nats(Dial)?\\.ts$|bench/floor/|test/)' },
      to: { path: ['node_modules/nats/', '^nats$'] },
    },
    {
      name: 'fs-only-in-storage',
      comment: 'Files are touched in storage/ alone, so that tests can lose, tear and refuse them. Cure: take a port from storage/ (FileSystem, LocalFiles).',
      severity: 'error',
      from: { pathNot: '^(storage|test|chaos|bench/floor)/' },
      to: { path: '^(node:)?fs(/promises)?$' },
    },
    {
      name: 'logging-libraries-only-in-observe',
      comment: 'pino and OpenTelemetry stay in observe/. Cure: take a Logger (actors/kernel/log.ts) and let the process pass one.',
      severity: 'error',
      from: { pathNot: '^(observe|test)/' },
      to: { path: ['node_modules/(pino|@opentelemetry)', '^pino$', '^@opentelemetry'] },
    },
    {
      name: 'xstate-only-in-charts',
      comment: 'xstate is for charts and the shell that runs them. Cure: put the statechart into machine.ts and the decisions into the core.',
      severity: 'error',
      from: { pathNot: '^((actors|topology)/.*machine\\.ts$|actors/kernel/shell\\.ts$|observe/|test/)' },
      to: { path: ['node_modules/xstate/', '^xstate'] },
    },
    {
      name: 'cores-are-pure',
      comment: 'A core or chart imports its own folder, topology arithmetic and kernel/assert. Cure: let time, chance and I/O arrive as events and ports; perform effects in actor.ts.',
      severity: 'error',
      from: { path: `${actorFolder}(?!actor\\.ts$).+` },
      to: { path: ['^(bus|storage|gateway|observe|sim|cli|bench)/', '^topology/(node|launcher)'] },
    },
    {
      name: 'cores-know-no-node',
      comment: 'Cores run in a browser too. Cure: use Uint8Array, DataView and TextEncoder; move what needs Node into actor.ts.',
      severity: 'error',
      from: { path: `${actorFolder}(?!actor\\.ts$).+` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'cores-know-no-npm',
      comment: 'A core is plain TypeScript; a chart may import xstate. Cure: put the library behind a port that actor.ts passes. sorted-btree is the state machine\'s own data structure.',
      severity: 'error',
      from: { path: core },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer'], pathNot: 'sorted-btree' },
    },
    {
      name: 'cores-know-no-shell',
      comment: 'Decisions do not know who carries them out. Cure: leave an effect; the shell performs it.',
      severity: 'error',
      from: { path: `${actorFolder}(?!actor\\.ts$).+` },
      to: { path: `${actorFolder}actor\\.ts$` },
    },
    {
      name: 'shells-do-not-know-shells',
      comment: 'Only topology/node.ts composes actors. Cure: take what you need of the other actor as a port in your options.',
      severity: 'error',
      from: { path: `${actorFolder}actor\\.ts$` },
      to: { path: `${actorFolder}actor\\.ts$` },
    },
    {
      name: 'doors-see-protocols-only',
      comment: 'gateway, cli and sdk see protocols and ports, never a core\'s inside. Cure: import protocol.ts, operation.ts or a port; ask the composition root for the rest.',
      severity: 'error',
      from: { path: '^(gateway|cli|sdk)/' },
      to: { path: `${actorFolder}(?!(protocol|operation)\\.ts$).+` },
    },
    {
      name: 'sdk-is-light',
      comment: 'Whoever installs the SDK loads nats and Node, no other package. Cure: take what you need as a port, or move it out of the file that imports the library.',
      severity: 'error',
      from: { path: '^sdk/' },
      to: { reachable: true, path: 'node_modules/(?!nats/)' },
    },
    {
      name: 'sdk-is-no-server',
      comment: 'The SDK sees the codec, the names of keys and subjects, and the arithmetic of shards. Cure: move what both need into bus/ or topology/ids, hash and level.',
      severity: 'error',
      from: { path: '^sdk/' },
      to: { reachable: true, path: ['^(gateway|storage|observe|cli|sim|bench|lanes|torture|fuzz)/', '^topology/(?!(ids|hash|level)\\.ts$)', '^actors/(?!kernel/(assert|clock|numberedList|pendingTable|random|systemClock|trace)\\.ts$|shard/operation\\.ts$)'] },
    },
    {
      name: 'production-does-not-know-tests',
      comment: 'Cure: move what production needs out of test/ or sim/ (the CLI may start the simulator).',
      severity: 'error',
      from: { path: '^(actors|bus|topology|storage|gateway|observe)/' },
      to: { path: '^(test|sim|bench|chaos|lanes|torture|fuzz|cli|sdk)/' },
    },
    {
      name: 'package-is-whole',
      comment: 'package.json ships no such folder, so that the installed command ends at its first import. Cure: move what both need to where the package has it.',
      severity: 'error',
      from: { path: '^(cli|bench)/' },
      to: { path: '^(test|sim|chaos|lanes|torture|fuzz)/' },
    },
    {
      name: 'dependencies-are-declared',
      comment: 'The package is not in package.json, or is only a development dependency. Cure: npm install --save it, make it a peer that is loaded when it is named, or do without. The page is bundled when it is built.',
      severity: 'error',
      from: { path: '^(actors|bus|topology|storage|gateway|observe|cli|sdk)/', pathNot: '^observe/page/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'imports-resolve',
      comment: 'The file or package does not exist. Cure: fix the path (imports end in .ts).',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    parser: 'swc',
    preserveSymlinks: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.js', '.json'], exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
