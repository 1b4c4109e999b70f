/**
 * The command line's side of the admin API (docs/ADMIN_API.md). Nodes are asked in turn until one answers. A change carries a key of its
 * own: when another node is asked after a first one that did not answer in time, it takes effect once.
 */

import { CliError, ExitCode } from '../exit.ts'
import { hintFor } from './hints.ts'
import type { ChangeAnswer, Problem } from '../../gateway/admin/views.ts'
import type { AdminFlags } from '../flags.ts'
import type { CliIo, HttpAnswer, HttpRequest } from '../io.ts'

/** Longer than a node asks the meta group (topology/proposals.ts). */
const SILENCE_MS_MAX = 30_000
const BY_CHARACTERS_MAX = 32

export interface ChangeWish {
  readonly method?: 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
  /** The change is for this epoch alone. */
  readonly epoch?: number
}

export interface AdminClient {
  readonly get: <T>(path: string) => Promise<T>
  /** What is no JSON document, as it is. */
  readonly text: (path: string) => Promise<string>
  readonly change: <T = ChangeAnswer>(wish: ChangeWish) => Promise<T>
}

export const createAdminClient = (io: CliIo, { admin, adminToken }: AdminFlags): AdminClient => {
  const authorization = adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` }
  const ask = async <T>(
    path: string, request: Pick<HttpRequest, 'method' | 'headers' | 'body'>, valueOf: (body: string) => unknown = jsonOf,
  ): Promise<T> => {
    const failures: string[] = []
    for (const url of admin) {
      const headers = { ...authorization, ...request.headers }
      const answer = await tryNode(io, { ...request, headers, url: `${url}${path}`, silenceMsMax: SILENCE_MS_MAX })
      if (typeof answer === 'string') {
        failures.push(`${url}: ${answer}`)
        continue
      }
      const read = readAnswer(answer, url, valueOf)
      if (!('problem' in read)) return read.value as T
      if (read.problem.reason !== 'starting') throw problemError(read.problem)
      failures.push(`${url}: ${read.problem.detail}`)
    }
    throw new CliError(ExitCode.unavailable, `no node answers (${failures.join('; ')}); name one with --admin http://HOST:PORT, `
      + 'where PORT is its --http-port; "shardkv start" starts a cluster here')
  }
  return {
    get: (path) => ask(path, { method: 'GET', headers: {} }),
    text: (path) => ask(path, { method: 'GET', headers: {} }, (body) => body),
    change: ({ method = 'POST', path, body, epoch }) => ask(path, {
      method,
      headers: {
        'idempotency-key': `cli-${io.newId()}`,
        'shardkv-by': byOf(io),
        ...(epoch === undefined ? {} : { 'if-match': `"${epoch}"` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  }
}

/** The answer, or why there is none. */
const tryNode = async (io: CliIo, request: HttpRequest): Promise<HttpAnswer | string> => {
  try {
    return await io.http(request)
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const { code, message } = cause as { readonly code?: string; readonly message?: string }
    return code ?? message ?? String(cause)
  }
}

const readAnswer = (
  { status, body }: HttpAnswer, url: string, valueOf: (body: string) => unknown,
): { readonly value: unknown } | { readonly problem: Problem } => {
  const value = status === 200 ? valueOf(body) : undefined
  if (value !== undefined) return { value }
  const problem = jsonOf(body) as Partial<Problem> | null | undefined
  if (typeof problem?.reason === 'string' && typeof problem.detail === 'string') return { problem: { ...problem, status } as Problem }
  throw new CliError(ExitCode.error, `${url} answers with ${status} and no word of the admin API: is it a node of ShardKV, of this `
    + 'version, and does its log say that the API is not served there?')
}

/** A list or a record; undefined for anything else. */
const jsonOf = (body: string): unknown => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' ? value : undefined
  } catch {
    return undefined
  }
}

const problemError = ({ reason, detail, status }: Problem): CliError => {
  const hint = hintFor(reason)
  return new CliError(exitCodeOf(status), `${reason}: ${detail}${hint === null ? '' : `\n  ${hint}`}`)
}

const exitCodeOf = (status: number): ExitCode => {
  if (status === 400) return ExitCode.usage
  if (status === 404) return ExitCode.notFound
  return status >= 503 ? ExitCode.unavailable : ExitCode.error
}

/** Whoever is logged in, for the event history. */
const byOf = ({ env }: CliIo): string =>
  (env['USER'] ?? env['USERNAME'] ?? '').replaceAll(/[^\x21-\x7e]/g, '').slice(0, BY_CHARACTERS_MAX) || 'cli'
