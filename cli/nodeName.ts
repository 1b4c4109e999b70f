/** What a node and its zone may be called: as parsers of arguments and flags, and for a node that is given no name. */

import { InvalidArgumentError } from 'commander'
import { isNodeId, isZone } from '../topology/ids.ts'

export const nodeName = (text: string): string => {
  if (!isNodeId(text)) throw new InvalidArgumentError('It is 1-32 of a-z, 0-9 and -, starting with a letter.')
  return text
}

export const zoneName = (text: string): string => {
  if (!isZone(text)) throw new InvalidArgumentError('It is 1-32 of a-z, 0-9 and -, starting with a letter or digit; or empty for none.')
  return text
}

const HOST_CHARACTERS_MAX = 20
const SUFFIX_CHARACTERS = 4

/**
 * For a node that joins without a name: of its machine, `web1-7c2e`. The end is drawn, since two that join at the same moment, maybe on
 * one machine, must not both take what was free when they looked. `drawn` is 4 hex digits or more.
 */
export const newNodeName = (hostName: string, drawn: string): string => {
  const [label = ''] = hostName.toLowerCase().split('.')
  const host = label.replaceAll(/[^a-z0-9]+/g, '-').replace(/^[^a-z]+/, '').slice(0, HOST_CHARACTERS_MAX).replace(/-+$/, '')
  return `${host === '' ? 'node' : host}-${drawn.slice(0, SUFFIX_CHARACTERS)}`
}
