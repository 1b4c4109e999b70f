/** What the command line asks of its surroundings, as a port, so that every command runs in a test with a fake terminal and bus. */

import type { Clock } from '../actors/kernel/clock.ts'
import type { Bus } from '../bus/port.ts'
import type { GenesisResult } from '../storage/genesis.ts'
import type { LocalFiles } from '../storage/localFiles.ts'
import type { StartOptions, StartedCluster } from '../topology/launcher/startCluster.ts'
import type { ClusterWishes, OpenedCluster } from '../topology/launcher/clusterFile.ts'
import type { NodeCommandOptions } from './commands/node.ts'
import type { Broker } from './broker.ts'
import type { Prompt, PromptOptions } from './repl/prompt.ts'

/** The screen and the keys of a person. */
export interface CliTerminal {
  readonly size: () => { readonly columns: number; readonly rows: number }
  /** Keys as the terminal sends them, unechoed, Ctrl-C included; the result gives the keyboard back. */
  readonly onKey: (handler: (key: string) => void) => () => void
  readonly onResize: (handler: () => void) => () => void
}

export interface HttpRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds in which nothing of the answer comes: then it is given up. */
  readonly silenceMsMax: number
}

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Data. Resolves when the text was accepted: a slow pipe slows the command. */
  readonly print: (data: string | Uint8Array) => Promise<void>
  /** Messages for a person. */
  readonly say: (text: string) => void
  readonly isOutputTty: boolean
  /** A value is followed by a line end: for a person, and where several commands print one after the other. */
  readonly endsValues: boolean
  readonly isErrorTty: boolean
  readonly isInputTty: boolean
  /** Null when input or output is no terminal. */
  readonly terminal: CliTerminal | null
  /** A line editor on standard input. */
  readonly openPrompt: (options: PromptOptions) => Prompt
  readonly readInput: () => Promise<Uint8Array>
  /** Throws when no server accepts the connection in time, or the broker refuses the user. */
  readonly connect: (broker: Broker) => Promise<Bus>
  /** To a node's admin API. Rejects when nobody answers there in time. */
  readonly http: (request: HttpRequest) => Promise<HttpAnswer>
  readonly clock: Clock
  /** 16 fresh hex digits. */
  readonly newId: () => string
  readonly files: LocalFiles
  /**
   * Calls back on Ctrl-C, SIGTERM and a closed terminal, with how many there were, in place of ending the process. One that several
   * processes pass on counts once (cli/interrupts.ts). The result takes that back.
   */
  readonly onInterrupt: (handler: (count: number) => void) => () => void
  /**
   * SIGTERM, or SIGHUP of a terminal that was closed: `work` is done first, then the process ends by that signal. The result takes that
   * back.
   */
  readonly beforeKilled: (work: () => Promise<void>) => () => void
  readonly version: () => Promise<string>
  /** Of this machine. */
  readonly hostName: () => string
  /** Whose data directory it is. */
  readonly readGenesis: (directory: string) => Promise<GenesisResult>
  /** What `shardkv start`, `init` and `node` run. */
  readonly startLocalCluster: (options: StartOptions, say: (line: string) => void) => Promise<StartedCluster>
  readonly createCluster: (wishes: ClusterWishes) => Promise<OpenedCluster>
  readonly runNode: (options: NodeCommandOptions) => Promise<number>
  /** The benchmarks, with their own arguments. */
  readonly runBench: (args: readonly string[]) => Promise<void>
}

export const sleep = (clock: Clock, ms: number): Promise<void> => new Promise((wake) => { clock.after(ms, wake) })
