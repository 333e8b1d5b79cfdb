// Reads the project's own Markdown for the tests that hold it against the code. Knows only what these documents use.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** A part of a document, from its heading to the next heading of any level. */
export interface Section {
  /** As written, without the leading `#`. */
  readonly heading: string;
  readonly lines: readonly string[];
}

/** Absolute path of a file of the project. */
export const projectPath = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The text of a file of the project, such as `docs/errors.md`. */
export const readDocument = (path: string): Promise<string> => readFile(projectPath(path), 'utf8');

/** The sections of a document in order; headings inside code blocks do not count. */
export function listSections(text: string): readonly Section[] {
  const sections: { heading: string; lines: string[] }[] = [];
  let fenced = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) fenced = !fenced;
    const heading = fenced ? null : /^#+ (.*)$/u.exec(line);
    if (heading) sections.push({ heading: heading[1] ?? '', lines: [] });
    else sections.at(-1)?.lines.push(line);
  }
  return sections;
}

/** The rows of the first table of a section, cells trimmed, without its heading; throws when there is none. */
export function readTable(text: string, heading: string): readonly (readonly string[])[] {
  const section = listSections(text).find((candidate) => candidate.heading === heading);
  if (section === undefined) throw new Error(`the document has no heading "${heading}"`);
  const rows = readRows(section.lines);
  if (rows.length === 0) throw new Error(`there is no table under "${heading}"`);
  return rows;
}

/** The rows of the first table among lines, without its heading. */
export function readRows(lines: readonly string[]): readonly (readonly string[])[] {
  const from = lines.findIndex((line) => line.startsWith('|'));
  if (from < 0) return [];
  const length = lines.slice(from).findIndex((line) => !line.startsWith('|'));
  const table = lines.slice(from, length < 0 ? undefined : from + length);
  return table.slice(2).map(splitRow);
}

/** Text in backquotes is code: the marks are not part of it. */
export const unquote = (cell: string): string => cell.replaceAll('`', '');

const splitRow = (line: string): readonly string[] =>
  line
    .replace(/^\||\|$/gu, '')
    .split(/(?<!\\)\|/u)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
