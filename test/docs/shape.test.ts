// The shape of the documents: what fits on a screen is read.
import { describe, expect, test } from 'vitest';
import { MAX_CELL, MAX_COLUMNS } from '../../scripts/docs/markdown.js';
import { listDocuments, listTables, readDocument } from './read-document.js';

const README_LINES = 180;
const README_WIDTH = 100;
const ARCHITECTURE_LINES = 150;

const countLines = (text: string): number => text.trimEnd().split('\n').length;

test(`README.md has at most ${README_LINES} lines of at most ${README_WIDTH} characters`, async () => {
  const text = await readDocument('README.md');
  expect(countLines(text)).toBeLessThanOrEqual(README_LINES);
  expect(text.split('\n').filter((line) => [...line].length > README_WIDTH)).toEqual([]);
});

test(`the architecture has at most ${ARCHITECTURE_LINES} lines`, async () => {
  expect(countLines(await readDocument('docs/development/architecture.md'))).toBeLessThanOrEqual(ARCHITECTURE_LINES);
});

describe.each(listDocuments())('%s', (path) => {
  test(`has tables of at most ${MAX_COLUMNS} columns, and no cell over ${MAX_CELL} characters`, async () => {
    const rows = listTables((await readDocument(path)).split('\n')).flat();
    expect(rows.filter((row) => row.length > MAX_COLUMNS)).toEqual([]);
    expect(rows.flat().filter((cell) => [...cell].length > MAX_CELL)).toEqual([]);
  });

  test('begins with its title, and has one', async () => {
    const text = await readDocument(path);
    expect(text.startsWith('# ')).toBe(true);
    expect(
      text
        .split(/^```.*$/mu)
        .filter((_, at) => at % 2 === 0)
        .join('\n')
        .match(/^# /gmu),
    ).toHaveLength(1);
  });
});

test('the map names every document', async () => {
  const map = await readDocument('docs/README.md');
  const named = listDocuments()
    .filter((path) => path.startsWith('docs/') && path !== 'docs/README.md')
    .filter((path) => !map.includes(`](${path.slice('docs/'.length)})`));
  expect(named).toEqual([]);
});
