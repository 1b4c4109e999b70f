/** Server-sent events out of a stream of text: what fetch reads, since EventSource sends no Authorization. */

export interface ServerEvent {
  readonly event: string
  readonly data: string
}

/** Feed it text as it comes; it answers with the events that are complete. */
export const createEventParser = (): ((text: string) => readonly ServerEvent[]) => {
  let rest = ''
  return (text) => {
    const blocks = (rest + text).split('\n\n')
    rest = blocks.pop() ?? ''
    return blocks.map((block) => {
      const lines = block.split('\n')
      const field = (name: string): string =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2)).join('\n')
      return { event: field('event') || 'message', data: field('data') }
    })
  }
}
