// Reads the project's own Markdown for the tests that hold it against the code. Knows only what these documents use.
import { existsSync, readdirSync } from 'node:fs';
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

/** Whether the project has this file or folder. */
export const isInProject = (path: string): boolean => existsSync(projectPath(path));

/** The text of a file of the project, such as `docs/reference/errors.md`. */
export const readDocument = (path: string): Promise<string> => readFile(projectPath(path), 'utf8');

/** Every file under a folder of the project with one of these endings, from the project's folder. */
export const listFiles = (folder: string, ...endings: readonly string[]): readonly string[] =>
  readdirSync(projectPath(folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .map((name) => `${folder}/${name}`)
    .sort();

/** Every document for people. */
export const listDocuments = (): readonly string[] => [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...listFiles('docs', '.md'),
];

/** The sections of a document in order; headings inside code blocks do not count. */
export function listDocumentSections(text: string): readonly Section[] {
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

/** The lines below a heading, up to the next one; throws when the document has no such heading. */
export function readSection(text: string, heading: string): readonly string[] {
  const section = listDocumentSections(text).find((candidate) => candidate.heading === heading);
  if (section === undefined) throw new Error(`the document has no heading "${heading}"`);
  return section.lines;
}

/** The rows of the first table of a section, cells trimmed, without its heading; throws when there is none. */
export function readTable(text: string, heading: string): readonly (readonly string[])[] {
  const [rows] = listTables(readSection(text, heading));
  if (rows === undefined || rows.length === 0) throw new Error(`there is no table under "${heading}"`);
  return rows.slice(1);
}

/** Every table among lines as rows of cells, its heading included; code blocks do not count. */
export function listTables(lines: readonly string[]): readonly (readonly (readonly string[])[])[] {
  const tables: string[][] = [];
  let fenced = false;
  let open = false;
  for (const line of lines) {
    if (line.startsWith('```')) fenced = !fenced;
    const inTable = !fenced && line.startsWith('|');
    if (inTable && !open) tables.push([]);
    if (inTable) tables.at(-1)?.push(line);
    open = inTable;
  }
  return tables.map((table) => table.filter((_, at) => at !== 1).map(splitRow));
}

/** The names that the items of a section's lists begin with: "- `a`, `b`: meaning" gives a and b. */
export function readListed(text: string, heading: string): readonly string[] {
  const items = readSection(text, heading).filter((line) => /^- `/u.test(line));
  if (items.length === 0) throw new Error(`there is no list under "${heading}"`);
  return items.flatMap((line) => {
    const [, names = ''] = /^- ((?:`[^`]+`(?:, )?)+)/u.exec(line) ?? [];
    return unquote(names).split(', ').filter(Boolean);
  });
}

/** The code blocks of one language, in order. */
export const listCode = (text: string, language: string): readonly string[] =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gmu)].flatMap(([, name, code = '']) =>
    name === language ? [code] : [],
  );

/** Text in backquotes is code: the marks are not part of it. */
export const unquote = (cell: string): string => cell.replaceAll('`', '');

const splitRow = (line: string): readonly string[] =>
  line
    .replace(/^\||\|$/gu, '')
    .split(/(?<!\\)\|/u)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
