// The generated parts of the reference against the code and against freshly initialised databases.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COLUMN_TEXTS } from '../../scripts/docs/column-texts.js';
import { FUNCTION_TEXTS } from '../../scripts/docs/function-texts.js';
import { listBlocks } from '../../scripts/docs/markdown.js';
import {
  applyBlocks,
  type GeneratedBlock,
  listCodeBlocks,
  listGeneratedFiles,
  listSchemaBlocks,
} from '../../scripts/docs/pages.js';
import { readFunctions, readRelations } from '../../scripts/docs/read-schema.js';
import { listCommands } from '../../scripts/docs/render-commands.js';
import { CELL_ROLES } from '../../src/stores/cell/cell-database.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { listFiles, readDocument, readTable, unquote } from './read-document.js';

/** Pages whose text is not what the generator gives; `npm run docs` writes them anew. */
async function findOld(blocks: readonly GeneratedBlock[]): Promise<readonly string[]> {
  const pages = [...new Set(blocks.map(({ page }) => page))];
  const texts = await Promise.all(pages.map(async (page) => ({ page, text: await readDocument(page) })));
  return texts.filter(({ page, text }) => applyBlocks(page, text, blocks) !== text).map(({ page }) => page);
}

test('what is generated from the code is what `npm run docs` writes', async () => {
  expect(await findOld(listCodeBlocks())).toEqual([]);
});

test('schemas for editors and drawn pictures are what `npm run docs` writes', async () => {
  const texts = await Promise.all(
    listGeneratedFiles().map(async (file) => ({ ...file, found: await readDocument(file.path) })),
  );
  expect(texts.filter(({ text, found }) => text !== found).map(({ path }) => path)).toEqual([]);
});

test('the page of commands has every command of the program and every option', async () => {
  const text = await readDocument('docs/reference/commands.md');
  const headings = [...text.matchAll(/^###? ([a-z-]+(?: [a-z-]+)?)$/gmu)].map(([, name]) => name);
  expect(headings).toEqual(listCommands().map(({ path }) => path));
  const options = listCommands().flatMap(({ command }) => command.options.map(({ flags }) => flags));
  expect(options.filter((flags) => !text.includes(`\`${flags}\``))).toEqual([]);
});

describe('the schemas', () => {
  let fleet: Fleet;
  const cell: Fleet['control'] = (text, params) => fleet.cell(0).sql(text, params);
  beforeAll(async () => {
    fleet = await createFleet({ cells: [{ orgs: [] }] });
  });
  afterAll(() => fleet.drop());

  test('have every table, view, column and function on their pages, as `npm run docs` writes them', async () => {
    const blocks = await listSchemaBlocks({ cell, control: fleet.control });
    expect(blocks.length).toBeGreaterThan(30);
    expect(await findOld(blocks)).toEqual([]);
  });

  test('have no block for something that is gone', async () => {
    const wanted = [...listCodeBlocks(), ...(await listSchemaBlocks({ cell, control: fleet.control }))];
    const pages = listFiles('docs', '.md').filter((page) => wanted.some((block) => block.page === page));
    const texts = await Promise.all(pages.map(async (page) => ({ page, text: await readDocument(page) })));
    const gone = texts.flatMap(({ page, text }) =>
      listBlocks(text).filter((name) => !wanted.some((block) => block.page === page && block.name === name)),
    );
    expect(gone).toEqual([]);
  });

  test('explain each column once: by a comment of the database, or in column-texts.ts', async () => {
    const relations = [
      ...(await readRelations(cell, 'credit_rollout')),
      ...(await readRelations(fleet.control, 'credit_rollout_control')),
    ];
    const inDatabase = relations.flatMap(({ name, columns }) =>
      columns.filter(({ comment }) => comment === null).map((column) => `${name}.${column.name}`),
    );
    const inTexts = Object.entries(COLUMN_TEXTS).flatMap(([name, columns]) =>
      Object.keys(columns).map((column) => `${name}.${column}`),
    );
    expect(inTexts.toSorted()).toEqual(inDatabase.toSorted());
  });

  test('explain each function once', async () => {
    const found = await readFunctions(cell, 'credit_rollout');
    const bare = found.filter(({ comment }) => comment === null).map(({ name }) => name);
    expect(Object.keys(FUNCTION_TEXTS).toSorted()).toEqual(bare.toSorted());
  });
});

test('the page of roles has every role of a cell', async () => {
  const rows = readTable(await readDocument('docs/reference/roles.md'), 'Cell roles');
  expect(rows.map(([name = '']) => unquote(name))).toEqual(CELL_ROLES.map((role) => `credit_rollout_<dc>_${role}`));
});
