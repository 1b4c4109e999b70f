/** The Dockerfile as a list of instructions by stage: lines joined, comments gone. */

import { readFileSync } from 'node:fs'

export interface Instruction {
  readonly name: string
  readonly text: string
}

export interface Stage {
  readonly from: string
  readonly instructions: readonly Instruction[]
}

export const readDockerfile = (): readonly Stage[] => {
  const stages: { from: string; instructions: Instruction[] }[] = []
  const joined = readFileSync('Dockerfile', 'utf8').replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n\s*/g, '')
  for (const [, name = '', text = ''] of joined.matchAll(/^([A-Z]+)\s+(.*)$/gm)) {
    if (name === 'FROM') stages.push({ from: text, instructions: [] })
    else stages.at(-1)?.instructions.push({ name, text })
  }
  return stages
}

/** What a stage copies from the build's context, without what comes out of another stage. */
export const copiedFromContext = ({ instructions }: Stage): readonly string[] =>
  instructions.filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'))
    .flatMap(({ text }) => text.split(/\s+/).slice(0, -1))
