/**
 * How the page asks the node it came from: with fetch, and the token where one is needed, which stays in this tab's sessionStorage.
 * Whatever goes wrong becomes a sentence.
 */

import { signal } from '@preact/signals'

const TOKEN_KEY = 'shardkv-token'

/** The node wants a token that it has not got. */
export const isTokenWanted = signal(false)

export const giveToken = (token: string): void => {
  sessionStorage.setItem(TOKEN_KEY, token)
  isTokenWanted.value = false
}

export type Answer<T> = { readonly value: T } | { readonly problem: string }

export const ask = async <T>(path: string, init: RequestInit = {}): Promise<Answer<T>> => {
  const answer = await open(path, init)
  if ('problem' in answer) return answer
  try {
    return { value: await answer.value.json() as T }
  } catch {
    return { problem: 'The answer broke off.' }
  }
}

/** The answer's body is not read yet. */
export const open = async (path: string, init: RequestInit = {}): Promise<Answer<Response>> => {
  const token = sessionStorage.getItem(TOKEN_KEY)
  try {
    const response = await fetch(path, {
      ...init, cache: 'no-store',
      headers: {
        ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
    })
    // The answer to a question from before the token was given says nothing of it.
    if (response.status === 401 && sessionStorage.getItem(TOKEN_KEY) === token) isTokenWanted.value = true
    if (response.ok) return { value: response }
    return { problem: await reasonIn(response) }
  } catch {
    return { problem: 'This node does not answer.' }
  }
}

const reasonIn = async (response: Response): Promise<string> => {
  try {
    const { detail, error } = await response.json() as { readonly detail?: string; readonly error?: string }
    return detail ?? error ?? `It answered ${response.status}.`
  } catch {
    return `It answered ${response.status}.`
  }
}
