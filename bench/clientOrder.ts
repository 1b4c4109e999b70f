/**
 * A task on its way to the measuring client's process: everything in its command line, so that a run can be repeated by hand, but the login
 * of the broker, since others on this machine can read a command line. That goes by the environment.
 */

import type { ClientTask } from './clientTask.ts'
import type { DriverLogin } from './drivers/port.ts'

const LOGIN_VARIABLE = 'SHARDKV_BENCH_LOGIN'

export interface ClientOrder {
  readonly argument: string
  readonly env: Readonly<Record<string, string>>
}

export const orderOf = (task: ClientTask): ClientOrder => {
  const { login, ...target } = task.target
  return { argument: JSON.stringify({ ...task, target }), env: login === undefined ? {} : { [LOGIN_VARIABLE]: JSON.stringify(login) } }
}

/** The other way round. */
export const taskOf = (argument: string, env: Readonly<Record<string, string | undefined>>): ClientTask => {
  const task = JSON.parse(argument) as ClientTask
  const login = env[LOGIN_VARIABLE]
  return login === undefined ? task : { ...task, target: { ...task.target, login: JSON.parse(login) as DriverLogin } }
}
