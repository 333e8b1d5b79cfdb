// Shapes of the pictures that are drawn for people, in a light and a dark theme. Knows no content.

export interface Theme {
  readonly name: 'light' | 'dark';
  readonly paper: string;
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly box: string;
  readonly accent: string;
  readonly good: string;
  readonly bad: string;
}

export const THEMES: readonly Theme[] = [
  {
    name: 'light',
    paper: '#ffffff',
    ink: '#1f2328',
    muted: '#57606a',
    line: '#6e7781',
    box: '#f6f8fa',
    accent: '#0969da',
    good: '#1a7f37',
    bad: '#cf222e',
  },
  {
    name: 'dark',
    paper: '#0d1117',
    ink: '#e6edf3',
    muted: '#9ea7b3',
    line: '#8b949e',
    box: '#161b22',
    accent: '#58a6ff',
    good: '#3fb950',
    bad: '#ff7b72',
  },
];

const SANS = "-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif";
export const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** A whole picture with a solid background, in pixels. */
export function renderSvg(
  theme: Theme,
  size: { readonly width: number; readonly height: number },
  title: string,
  body: string,
): string {
  const { width, height } = size;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="${SANS}">
<title>${escapeXml(title)}</title>
<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="${theme.line}"/></marker></defs>
<rect width="${width}" height="${height}" rx="8" fill="${theme.paper}"/>
${body}
</svg>
`;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly lines?: readonly string[];
  /** Of its border and title. */
  readonly color?: string;
}

/** A box with a bold title and lines of text below it. */
export function drawBox(theme: Theme, { x, y, width, height, title, lines = [], color = theme.line }: Box): string {
  const middle = x + width / 2;
  const first = y + height / 2 - lines.length * 9 + 5;
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8" fill="${theme.box}" stroke="${color}" stroke-width="1.5"/>`,
    drawText(theme, {
      x: middle,
      y: first,
      text: title,
      bold: true,
      size: 15,
      ...(color === theme.line ? {} : { color }),
    }),
    ...lines.map((text, at) => drawText(theme, { x: middle, y: first + 19 + at * 17, text, color: theme.muted })),
  ].join('\n');
}

/** An area with a dashed border and a label at its top left. */
export const drawArea = (
  theme: Theme,
  { x, y, width, height, title, color = theme.line }: Omit<Box, 'lines'>,
): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="10" fill="none" stroke="${color}" stroke-width="1.5" stroke-dasharray="5 4"/>
${drawText(theme, { x: x + 14, y: y + 22, text: title, bold: true, anchor: 'start', color: color === theme.line ? theme.ink : color })}`;

interface Text {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly bold?: boolean;
  readonly size?: number;
  readonly color?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

export const drawText = (
  theme: Theme,
  { x, y, text, bold = false, size = 13, color = theme.ink, anchor = 'middle' }: Text,
): string =>
  `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" fill="${color}"${bold ? ' font-weight="600"' : ''}>${escapeXml(text)}</text>`;

export interface Arrow {
  /** Of an SVG path, such as `M0 0 H100`. */
  readonly path: string;
  readonly label?: string;
  readonly at?: readonly [x: number, y: number];
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly color?: string;
  readonly dashed?: boolean;
}

/** A line with an arrow head at its end, and a label beside it. */
export function drawArrow(theme: Theme, { path, label, at, anchor, color = theme.line, dashed }: Arrow): string {
  const line = `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5"${dashed ? ' stroke-dasharray="4 4"' : ''} marker-end="url(#arrow)"/>`;
  if (label === undefined || at === undefined) return line;
  const [x, y] = at;
  return `${line}\n${drawText(theme, { x, y, text: label, size: 12, color: theme.muted, anchor: anchor ?? 'middle' })}`;
}
