// Every table of ours has a limit, or grows with something else than time; and the page about it says the same.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listDocumentSections, readDocument } from '../docs/read-document.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { listTables } from './simulate-nights.js';
import { CELL_TABLES, CONTROL_TABLES, type Growth } from './tables.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [] }] });
});
afterAll(() => fleet.drop());

const bareNames = (schema: string, names: readonly string[]): readonly string[] =>
  names.filter((name) => name.startsWith(`${schema}.`)).map((name) => name.slice(schema.length + 1));

test('a new table of control is given its limit here', async () => {
  const tables = bareNames('credit_rollout_control', await listTables(fleet.control));
  expect(tables.toSorted()).toEqual(Object.keys(CONTROL_TABLES).toSorted());
});

test('a new table of a cell is given its limit here', async () => {
  const tables = bareNames('credit_rollout', await listTables(fleet.cell(0).sql));
  expect(tables.toSorted()).toEqual(Object.keys(CELL_TABLES).toSorted());
});

describe('docs/reference/retention.md', () => {
  const ofTime = (tables: Readonly<Record<string, Growth>>): readonly string[] =>
    Object.keys(tables).filter((name) => tables[name] === 'time');
  const ofElse = (tables: Readonly<Record<string, Growth>>): readonly string[] =>
    Object.keys(tables).filter((name) => tables[name] !== 'time');

  test.each([
    ['What goes with time', [...ofTime(CELL_TABLES), ...ofTime(CONTROL_TABLES)]],
    ['What grows with something else', [...ofElse(CELL_TABLES), ...ofElse(CONTROL_TABLES)]],
  ])('names under "%s" what does', async (heading, tables) => {
    const sections = listDocumentSections(await readDocument('docs/reference/retention.md'));
    const text = sections.find((section) => section.heading === heading)?.lines.join('\n') ?? '';
    expect(tables.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});
