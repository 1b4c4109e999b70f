/** compose.yaml as Compose reads it: variables filled in, merge keys resolved. Only what our own file uses. */

import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface HealthCheck {
  readonly test: readonly [string, string, ...string[]]
}

export interface Service {
  readonly image: string
  readonly build?: string
  readonly profiles?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly user?: string
  readonly restart?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly configs?: readonly string[]
  readonly tmpfs?: readonly string[]
  readonly networks?: Readonly<Record<string, { readonly aliases: readonly string[] }>>
  readonly environment?: Readonly<Record<string, string | null>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: HealthCheck
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, null>>
  readonly configs: Readonly<Record<string, { readonly content: string }>>
}

/** With these variables in the shell; without any, as most people start it. */
export const readCompose = (variables: Readonly<Record<string, string>> = {}): ComposeFile =>
  parse(interpolated(readFileSync('compose.yaml', 'utf8'), variables), { merge: true }) as ComposeFile

/** `${NAME:-default}`; comments have none. */
const interpolated = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, otherwise: string) => {
    const given = variables[name] ?? ''
    return given === '' ? otherwise : given
  })

export interface Mount {
  readonly source: string
  readonly target: string
}

export const mountsOf = ({ volumes = [] }: Service): readonly Mount[] => volumes.map((volume) => {
  const [source = '', target = ''] = volume.split(':')
  return { source, target }
})
