/** Text of the page can be read in light and in dark: WCAG 2.2, contrast 4.5 to 1 (AA), of the colours as the style sheet has them. */

import { readFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'

const TEXT_CONTRAST_MIN = 4.5
/** Of marks that mean something: WCAG 1.4.11. */
const MARK_CONTRAST_MIN = 3
const css = readFileSync('observe/page/page.css', 'utf8')

type Colour = readonly [number, number, number]

/** The custom properties of the first and the second `:root`. */
const schemes = (['light', 'dark'] as const).map((scheme, i) => {
  const block = [...css.matchAll(/:root \{([^}]*)\}/g)][i]?.[1] ?? ''
  const colours = [...block.matchAll(/--([\w-]+): #([0-9a-f]{6});/g)].map(([, name = '', hex = '']): [string, Colour] =>
    [name, [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as unknown as Colour])
  return { scheme, colours: new Map(colours) }
})

const luminance = (colour: Colour): number => {
  const [red = 0, green = 0, blue = 0] = colour.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const contrast = (one: Colour, other: Colour): number => {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** A colour that shines through at this opacity. */
const over = (top: Colour, bottom: Colour, opacity: number): Colour =>
  top.map((part, i) => part * opacity + (bottom[i] ?? 0) * (1 - opacity)) as unknown as Colour

const terms = ['term-0', 'term-1', 'term-2', 'term-3', 'term-4']
/** What is written on what. */
const texts: readonly (readonly [string, readonly string[]])[] = [
  ['paper', ['ink', 'soft', 'faint', 'leader', 'warn', 'bad', 'sync', 'move']], ['raised', ['ink', 'soft', 'faint']],
  ['leader-wash', ['ink', 'soft', 'faint']], ['ink', ['paper']], ['leader', ['paper']], ...terms.map((term) => [term, ['paper']] as const),
]

test('black on white is 21 to 1, and a colour on itself 1 to 1', () => {
  expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21)
  expect(contrast([9, 99, 199], [9, 99, 199])).toBe(1)
})

describe.each(schemes)('in $scheme', ({ colours }) => {
  const colour = (name: string): Colour => {
    const found = colours.get(name)
    if (found === undefined) throw new Error(`--${name} is not in the style sheet`)
    return found
  }

  test.each(texts.flatMap(([ground, names]) => names.map((name) => [name, ground] as const)))('%s is read on %s', (name, ground) => {
    expect(contrast(colour(name), colour(ground))).toBeGreaterThanOrEqual(TEXT_CONTRAST_MIN)
  })

  test.each(terms)('what a pale band of %s says is read', (term) => {
    for (const opacity of [0.14, 0.45]) {
      expect(contrast(colour('ink'), over(colour(term), colour('paper'), opacity))).toBeGreaterThanOrEqual(TEXT_CONTRAST_MIN)
    }
  })

  test('marks are seen', () => {
    for (const name of ['leader', 'soft', 'warn', 'bad', 'good', 'move', 'sync', 'faint', ...terms]) {
      expect(contrast(colour(name), colour('paper'))).toBeGreaterThanOrEqual(MARK_CONTRAST_MIN)
    }
  })
})
