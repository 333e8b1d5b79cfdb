// Horizontal bars as inline SVG; a phone has their description in their place. A table beside it has the same numbers:
// the picture is never the only source.
import { html, type Markup, nothing } from '../../kernel/html.js';

/** What a part of a bar means; each has its colour in the style sheet and its word in the legend. */
export type BarFill = 'before' | 'plan' | 'topUp' | 'purchased' | 'orgs';

export interface Bar {
  /** Empty: it belongs to the bar above. */
  readonly label: string;
  readonly parts: readonly { readonly fill: BarFill; readonly size: bigint }[];
  /** Its value, written at its end. */
  readonly value: string;
}

export interface BarChart {
  /** Unique in the document. */
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly bars: readonly Bar[];
  /** A table below it has the same numbers; else a phone shows the description. */
  readonly hasTable?: boolean;
}

const LABEL = 170;
const SPACE = 380;
const WIDTH = LABEL + SPACE + 190;
const ROW = 22;
const BAR = 14;
const LONGEST_LABEL = 24;
/** Bars are scaled in whole numbers: sums exceed what a double holds. */
const STEPS = 3800n;

const FILL_WORDS: Readonly<Record<BarFill, string>> = {
  before: 'today',
  plan: 'credits by the rate card',
  topUp: 'top-ups that keep legacy numbers',
  purchased: 'purchases',
  orgs: 'orgs',
};

/** Bars from the same zero, in one scale. */
export function renderBars({ id, title, description, bars, hasTable = false }: BarChart): Markup {
  const sizes = bars.map(({ parts }) => parts.reduce((sum, { size }) => sum + atLeastZero(size), 0n));
  const longest = [...sizes, 1n].toSorted((a, b) => (a < b ? 1 : -1))[0] ?? 1n;
  const height = bars.length * ROW + 8;
  const fills = [...new Set(bars.flatMap(({ parts }) => parts.map(({ fill }) => fill)))];
  return html`<figure>
<figcaption>${title}</figcaption>
<div class="wide"><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">${title}</title>
<desc id="${id}-desc">${description}</desc>
${bars.map((bar, index) => renderBar(bar, index * ROW + 4, longest))}</svg></div>
${fills.length > 1 ? renderLegend(fills) : nothing}</figure>
${
  hasTable
    ? nothing
    : html`<p class="instead">${title}: ${description}</p>
`
}`;
}

function renderBar({ label, parts, value }: Bar, y: number, longest: bigint): Markup {
  const drawn = layOutParts(parts, longest);
  const end = drawn.reduce((most, { x, width }) => Math.max(most, x + width), LABEL);
  const middle = y + BAR - 3;
  return html`<text class="label" x="${LABEL - 8}" y="${middle}">${shorten(label)}</text>${drawn.map(
    ({ fill, x, width }) =>
      html`<rect class="fill-${fill}" x="${round(x)}" y="${y}" width="${round(width)}" height="${BAR}"/>`,
  )}<text x="${round(end + 6)}" y="${middle}">${value}</text>\n`;
}

function layOutParts(parts: Bar['parts'], longest: bigint) {
  let passed = 0n;
  return parts
    .filter(({ size }) => size > 0n)
    .map(({ fill, size }) => {
      const from = scale(passed, longest);
      passed += size;
      // what is there is seen, however little it is
      return { fill, x: LABEL + from, width: Math.max(1, scale(passed, longest) - from) };
    });
}

const scale = (size: bigint, longest: bigint): number => Number((size * STEPS) / longest) / (Number(STEPS) / SPACE);
/** Without the noise of doubles. */
const round = (value: number): number => Math.round(value * 10) / 10;
const atLeastZero = (size: bigint): bigint => (size > 0n ? size : 0n);

const shorten = (label: string): string => {
  const characters = [...label];
  return characters.length > LONGEST_LABEL ? `${characters.slice(0, LONGEST_LABEL - 1).join('')}…` : label;
};

const renderLegend = (fills: readonly BarFill[]): Markup => html`<ul class="legend">${fills.map(
  (fill) =>
    html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="fill-${fill}" width="10" height="10"/></svg> ${FILL_WORDS[fill]}</li>`,
)}</ul>
`;
