/** Where one is: `#/actors?actor=raft/7&node=n1`. The address can be sent to somebody, and Back goes back. */

import { signal } from '@preact/signals'

export interface Route {
  readonly view: string
  readonly query: Readonly<Record<string, string>>
}

const parse = (): Route => {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
  return { view: path || 'cluster', query: Object.fromEntries(new URLSearchParams(query)) }
}

export const route = signal<Route>(parse())

export const startRoute = (): void => { window.addEventListener('hashchange', () => { route.value = parse() }) }

export const linkTo = (view: string, query: Readonly<Record<string, string>> = {}): string => {
  const text = new URLSearchParams(query).toString()
  return `#/${view}${text === '' ? '' : `?${text}`}`
}

export const goTo = (view: string, query: Readonly<Record<string, string>> = {}): void => { location.hash = linkTo(view, query) }
