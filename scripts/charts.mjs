/**
 * The statecharts as the Observatory draws them: read from the definitions that run, laid out by ELK. Part of the build of the page
 * (scripts/page.mjs), so that a chart on the screen can not differ from the chart in the process.
 *
 * A transition without a target is no arrow: it is listed with its state, as what the state hears. One of the machine itself leads from
 * every state: it is said beside its target.
 */

import ELK from 'elkjs/lib/elk.bundled.js'

const LINE = 15
const TITLE = 30
const PAD = 14
const EDGE_LABEL_LINE = 13
const WIDTH_PER_CHARACTER = 6.4
const EVENTS_PER_LABEL_MAX = 4

/** `isElectionDue`: "election due", a condition, which stands in brackets. */
const words = (name) => name.replace(/^(?:is|may|can|has)(?=[A-Z])/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim()

const guardOf = ({ guard }) => (guard === undefined ? '' : typeof guard === 'string' ? guard : guard.type ?? '')

const pathOf = (node) => node.path.join('.')

/** Every transition of a state: [event or '', transition]. */
const transitionsOf = (node) => [
  ...[...node.transitions].flatMap(([event, list]) => list.map((transition) => [event, transition])),
  ...(node.always ?? []).map((transition) => ['', transition]),
]

const labelOf = (event, transition) => {
  const guard = guardOf(transition)
  const condition = guard === '' ? '' : `[${words(guard)}]`
  if (event === '') return condition || 'otherwise'
  return event === 'tick' && condition !== '' ? condition : event
}

const statesIn = (root) => Object.values(root.states).flatMap((node) => [node, ...statesIn(node)])

const graphOf = (machine) => {
  const { root } = machine
  const states = statesIn(root)
  const edges = new Map()
  const hears = new Map(states.map((node) => [pathOf(node), new Set()]))
  const fromAnywhere = new Map()
  for (const node of [root, ...states]) {
    for (const [event, transition] of transitionsOf(node)) {
      if (event !== '' && event !== '*') for (const one of node === root ? states : [node]) hears.get(pathOf(one)).add(event)
      for (const target of transition.target ?? []) {
        if (target === node) continue
        const label = labelOf(event, transition)
        if (node === root) {
          const known = fromAnywhere.get(pathOf(target)) ?? new Set()
          fromAnywhere.set(pathOf(target), known.add(label))
          continue
        }
        const key = `${pathOf(node)} ${pathOf(target)}`
        const edge = edges.get(key) ?? { from: pathOf(node), to: pathOf(target), events: new Set() }
        edge.events.add(label)
        edges.set(key, edge)
      }
    }
  }
  return { root, states, hears, fromAnywhere, edges: [...edges.values()].map((edge) => ({ ...edge, events: [...edge.events] })) }
}

const labelLines = (events) =>
  (events.length <= EVENTS_PER_LABEL_MAX ? events : [...events.slice(0, EVENTS_PER_LABEL_MAX - 1), `and ${events.length - EVENTS_PER_LABEL_MAX + 1} more`])

const widthOf = (lines, perCharacter) => Math.max(...lines.map((line) => line.length)) * perCharacter

const elkNode = (node, { fromAnywhere }) => {
  const children = Object.values(node.states)
  const extra = fromAnywhere.get(pathOf(node))
  const lines = [node.key, ...(extra === undefined ? [] : [...extra].map((event) => `from anywhere: ${event}`))]
  const width = Math.max(96, widthOf(lines.slice(0, 1), 8) + 2 * PAD, extra === undefined ? 0 : widthOf(lines.slice(1), 6.2) + 2 * PAD)
  if (children.length === 0) return { id: pathOf(node), width, height: TITLE + 8 + (lines.length - 1) * LINE }
  return {
    id: pathOf(node),
    layoutOptions: { 'elk.padding': `[top=${TITLE + 10 + (lines.length - 1) * LINE},left=20,bottom=20,right=20]` },
    children: children.map((child) => elkNode(child, { fromAnywhere })),
  }
}

const layoutOptions = {
  'elk.algorithm': 'layered', 'elk.direction': 'DOWN', 'elk.hierarchyHandling': 'INCLUDE_CHILDREN', 'elk.edgeRouting': 'ORTHOGONAL',
  'elk.json.edgeCoords': 'ROOT', 'elk.json.shapeCoords': 'ROOT', 'elk.layered.spacing.nodeNodeBetweenLayers': '34', 'elk.spacing.nodeNode': '34',
  'elk.spacing.edgeLabel': '4', 'elk.edgeLabels.inline': 'false', 'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.spacing.edgeEdge': '14', 'elk.layered.spacing.edgeEdgeBetweenLayers': '12', 'elk.spacing.edgeNode': '16', 'elk.padding': '[top=8,left=8,bottom=8,right=8]',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST', 'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
}

const placed = (node) => [node, ...(node.children ?? []).flatMap(placed)]

const round = (number) => Math.round(number * 10) / 10

/** One chart, drawn: sizes in pixels. */
export const chartOf = async (machine) => {
  const graph = graphOf(machine)
  const laid = await new ELK().layout({
    id: 'root', layoutOptions,
    children: Object.values(graph.root.states).map((node) => elkNode(node, graph)),
    edges: graph.edges.map(({ from, to, events }, i) => {
      const lines = labelLines(events)
      return {
        id: `e${i}`, sources: [from], targets: [to],
        labels: [{ id: `l${i}`, text: lines.join('\n'), width: widthOf(lines, WIDTH_PER_CHARACTER) + 4, height: lines.length * EDGE_LABEL_LINE }],
      }
    }),
  })
  const boxes = new Map(laid.children.flatMap(placed).map((box) => [box.id, box]))
  const initials = new Set([graph.root, ...graph.states].flatMap((node) => (node.initial?.target ?? []).map(pathOf)))
  return {
    id: machine.id, width: Math.ceil(laid.width), height: Math.ceil(laid.height),
    states: graph.states.map((node) => {
      const { x, y, width, height } = boxes.get(pathOf(node))
      const from = graph.fromAnywhere.get(pathOf(node))
      return {
        path: pathOf(node), label: node.key, x: round(x), y: round(y), width: round(width), height: round(height),
        isParent: Object.keys(node.states).length > 0, isInitial: initials.has(pathOf(node)), isFinal: node.type === 'final',
        hears: [...graph.hears.get(pathOf(node))], fromAnywhere: from === undefined ? [] : [...from],
      }
    }),
    edges: graph.edges.map(({ from, to, events }, i) => {
      const { sections: [section], labels: [label] } = laid.edges[i]
      const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint].map(({ x, y }) => [round(x), round(y)])
      return { from, to, events, lines: labelLines(events), points, label: [round(label.x), round(label.y)] }
    }),
  }
}
