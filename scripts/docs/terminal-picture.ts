// What a terminal showed, as a picture. Colours follow the marks that our output uses; the text is not changed.
import { escapeXml, MONO, renderSvg, type Theme } from './svg.js';

const COLUMNS = 114;
const CHARACTER = 7.4;
const LINE = 17;
const MARGIN = 18;
const BAR = 34;

/** Lines longer than the terminal go on in the next one, as in a terminal. */
export function drawTerminal(theme: Theme, title: string, lines: readonly string[]): string {
  const shown = lines.flatMap(wrap);
  const width = Math.round(COLUMNS * CHARACTER + 2 * MARGIN);
  const height = BAR + shown.length * LINE + MARGIN;
  const dots = ['bad', 'accent', 'good'] as const;
  const bar = dots.map((color, at) => `<circle cx="${20 + at * 18}" cy="17" r="5.5" fill="${theme[color]}"/>`).join('');
  const text = shown
    .map(
      (line, at) =>
        `<text x="${MARGIN}" y="${BAR + (at + 1) * LINE - 4}" xml:space="preserve">${paint(theme, line)}</text>`,
    )
    .join('\n');
  return renderSvg(
    theme,
    { width, height },
    title,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="${theme.box}" stroke="${theme.line}"/>
${bar}
<g font-family="${escapeXml(MONO)}" font-size="12.3" fill="${theme.ink}">
${text}
</g>`,
  );
}

function wrap(line: string): readonly string[] {
  if (line.length <= COLUMNS) return [line];
  return [line.slice(0, COLUMNS), ...wrap(line.slice(COLUMNS))];
}

const MARKS: readonly (readonly [RegExp, keyof Omit<Theme, 'name'>])[] = [
  [/^\$ /u, 'accent'],
  [/^✔|█+/u, 'good'],
  [/^▶/u, 'accent'],
  [/^[◷!]|░+/u, 'muted'],
];

/** One line; each mark in its colour. `textLength` holds the columns together whatever font there is. */
function paint(theme: Theme, line: string): string {
  const pattern = new RegExp(MARKS.map(([mark]) => `(${mark.source})`).join('|'), 'gu');
  const parts: string[] = [];
  let from = 0;
  for (const match of line.matchAll(pattern)) {
    const [, color = 'ink'] = MARKS.find(([mark]) => mark.test(match[0])) ?? [];
    parts.push(span(line.slice(from, match.index), from), span(match[0], match.index, theme[color]));
    from = match.index + match[0].length;
  }
  parts.push(span(line.slice(from), from));
  return parts.join('');
}

function span(text: string, column: number, color?: string): string {
  if (text === '') return '';
  const x = (MARGIN + column * CHARACTER).toFixed(1);
  const length = (text.length * CHARACTER).toFixed(1);
  return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacing"${color === undefined ? '' : ` fill="${color}"`}>${escapeXml(text)}</tspan>`;
}
