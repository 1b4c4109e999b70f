/** Templates without a compiler: htm over Preact. */

import htm from 'htm'
import { h } from 'preact'
import type { VNode } from 'preact'

export const html = htm.bind(h) as unknown as (strings: TemplateStringsArray, ...values: readonly unknown[]) => VNode

/** What a component may show. */
export type Shown = VNode | string | number | null | readonly Shown[]
