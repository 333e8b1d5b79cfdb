// Rows as aligned columns, each cell printable and cut. On a narrow screen texts go over several lines, then columns
// are left out by rank, then each row becomes a list. Knows nothing of what they hold.
import { toPrintable } from '../../kernel/printable.js';
import { cutToWidth, displayWidth } from './display-width.js';
import { wrapCell } from './wrap.js';

/** A column of a table, on the screen or in a report. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** What may be left out where there is no room for all: the highest first. Without one: never. */
  readonly rank?: number;
  /** Its cells make sense on one line only, as a number does. */
  readonly kept?: 'whole';
}

export interface LaidOutTable {
  /** The lines of the titles; none where each row is a list. */
  readonly titles: readonly string[];
  /** The lines of each row. */
  readonly rows: readonly (readonly string[])[];
  /** The titles of the columns that were left out. */
  readonly leftOut: readonly string[];
}

/** A longer cell is cut: no text of anybody's may fill a screen. In columns of a terminal. */
const MAX_CELL = 160;
const GAP = 2;
/** A word up to this long is not broken while a column can be left out instead. */
const LONGEST_WORD = 32;
const NARROWEST = 10;

/** One string per line, the titles first; colours come after, since in a cell they are characters like any other. */
export function layOutTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const { titles, rows: lines, leftOut } = layOutRows(columns, rows, width);
  return [...titles, ...lines.flat(), ...describeLeftOut(leftOut, width)];
}

/** Nothing is left out in silence. */
export const describeLeftOut = (leftOut: readonly string[], width: number): readonly string[] =>
  leftOut.length === 0 ? [] : wrapCell(`Columns left out for lack of width: ${leftOut.join(', ')}`, width);

export function layOutRows(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): LaidOutTable {
  const cells = rows.map((row) => row.map((cell) => cutToWidth(toPrintable(cell), MAX_CELL)));
  return fitTable({ columns, rows: cells }, width, []);
}

interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

function fitTable(table: Table, width: number, leftOut: readonly string[]): LaidOutTable {
  const widths = chooseWidths(table, width, LONGEST_WORD);
  if (widths !== undefined) return { ...draw(table, widths), leftOut };
  const rank = Math.max(...table.columns.map((column) => column.rank ?? 0));
  const dropped = table.columns.findLastIndex((column) => column.rank === rank);
  if (dropped >= 0) {
    const without = <T>(list: readonly T[]): readonly T[] => list.filter((_, index) => index !== dropped);
    const rest = { columns: without(table.columns), rows: table.rows.map(without) };
    return fitTable(rest, width, [table.columns[dropped]?.title ?? '', ...leftOut]);
  }
  const narrow = chooseWidths(table, width, NARROWEST);
  return { ...(narrow === undefined ? listCells(table, width) : draw(table, narrow)), leftOut };
}

/** The widths of all columns within the width; undefined: they do not fit. No word up to `unbroken` is broken. */
function chooseWidths(table: Table, width: number, unbroken: number): readonly number[] | undefined {
  const natural = table.columns.map((_, index) => widest(cellsOf(table, index)));
  if (total(natural) <= width) return natural;
  const least = table.columns.map((column, index) => leastWidth(column, cellsOf(table, index), unbroken));
  if (total(least) > width) return undefined;
  // a title on two lines costs a line once, a text one in each row
  const titled = table.columns.map(({ title }, index) =>
    Math.max(widest(title.split(' ')), widest(cellsOf(table, index).slice(1))),
  );
  return total(titled) <= width ? shrink(natural, titled, width) : shrink(titled, least, width);
}

const cellsOf = ({ columns, rows }: Table, index: number): readonly string[] => [
  columns[index]?.title ?? '',
  ...rows.map((row) => row[index] ?? ''),
];

const widest = (texts: readonly string[]): number =>
  texts.reduce((most, text) => Math.max(most, displayWidth(text)), 0);
const total = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, widths.length - 1);

/** Titles go over several lines in every column, cells in columns of texts. */
function leastWidth({ title, align, kept }: Column, cells: readonly string[], unbroken: number): number {
  const ofTitle = widest(title.split(' '));
  if (align === 'right' || kept === 'whole') return Math.max(ofTitle, widest(cells.slice(1)));
  const ofCells = widest(cells.slice(1).flatMap((cell) => cell.split(' ')));
  return Math.max(ofTitle, Math.min(ofCells, unbroken));
}

/** Takes from the widest, one by one, until all fit. */
function shrink(natural: readonly number[], least: readonly number[], width: number): readonly number[] {
  const excess = total(natural) - width;
  if (excess <= 0) return natural;
  const spare = natural.map((one, index) => (one > (least[index] ?? 0) ? one : 0));
  const at = spare.indexOf(Math.max(...spare));
  return shrink(
    natural.map((one, index) => (index === at ? one - 1 : one)),
    least,
    width,
  );
}

function draw({ columns, rows }: Table, widths: readonly number[]): Omit<LaidOutTable, 'leftOut'> {
  const drawRow = (row: readonly string[]): readonly string[] => {
    const cells = columns.map((_, index) => wrapCell(row[index] ?? '', widths[index] ?? 0));
    const height = Math.max(1, ...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      columns
        .map(({ align = 'left' }, index) => pad(cells[index]?.[line] ?? '', widths[index] ?? 0, align))
        .join(' '.repeat(GAP))
        .trimEnd(),
    );
  };
  return { titles: drawRow(columns.map(({ title }) => title)), rows: rows.map(drawRow) };
}

/** Each row as `TITLE  cell`, line by line, all but the first further in. */
function listCells({ columns, rows }: Table, width: number): Omit<LaidOutTable, 'leftOut'> {
  const label = Math.min(widest(columns.map(({ title }) => title)), Math.floor(width / 2));
  const drawCell = (cell: string, index: number): readonly string[] => {
    const inner = index === 0 ? 0 : GAP;
    const lines = wrapCell(cell, Math.max(1, width - label - inner - GAP));
    const title = cutToWidth(columns[index]?.title ?? '', label);
    return lines.map((line, at) =>
      `${' '.repeat(inner)}${pad(at === 0 ? title : '', label, 'left')}${' '.repeat(GAP)}${line}`.trimEnd(),
    );
  };
  return { titles: [], rows: rows.map((row) => row.flatMap(drawCell)) };
}

/** Each line two characters further in. */
export const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'left' ? text + space : space + text;
}

/** For numbers. */
export const right = (title: string, rank?: number): Column => ({
  title,
  align: 'right',
  ...(rank !== undefined && { rank }),
});
