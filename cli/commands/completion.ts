/** `shardkv completion`: the script that teaches a shell what can be typed. */

import { Argument, Command } from 'commander'
import { bashScript } from '../completion/bash.ts'
import { programShapeOf } from '../completion/shape.ts'
import { zshScript } from '../completion/zsh.ts'
import type { CliIo } from '../io.ts'

const scripts = { bash: bashScript, zsh: zshScript } as const

export const completionCommand = (io: CliIo): Command => {
  const command = new Command('completion')
  return command
    .description('prints a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .addHelpText('after', '\nExamples:\n  $ source <(shardkv completion bash)\n  $ shardkv completion zsh > "${fpath[1]}/_shardkv"')
    .action(async (shell: keyof typeof scripts) => {
      await io.print(`${scripts[shell](programShapeOf(command.parent ?? command))}\n`)
    })
}
