// docs/schema.md against a cell and a control database that were just initialised.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CELL_ROLES } from '../../src/stores/cell/cell-database.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { listSections, readDocument, readRows, readTable, unquote } from './read-document.js';

const COLUMNS = `
select n.nspname || '.' || c.relname as relation, array_agg(a.attname::text order by a.attnum) as columns
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname in ('credit_rollout', 'credit_rollout_control') and c.relkind in ('r', 'p', 'v', 'm')
group by 1 order by 1`;

const FUNCTIONS = `
select distinct p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'credit_rollout' order by 1`;

const text = await readDocument('docs/schema.md');
const documented = listSections(text)
  .filter(({ heading }) => /^`credit_rollout(_control)?\./u.test(heading))
  .map(({ heading, lines }) => ({
    relation: unquote(heading),
    columns: readRows(lines).map(([name = '']) => unquote(name)),
  }));

let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [] }] });
});
afterAll(() => fleet.drop());

describe('docs/schema.md', () => {
  test('documents every table and view with every column in order, and none that is gone', async () => {
    const found = [...(await fleet.cell(0).sql(COLUMNS)), ...(await fleet.control(COLUMNS))];
    const byName = (a: { relation?: unknown }, b: { relation?: unknown }): number =>
      String(a.relation) < String(b.relation) ? -1 : 1;
    expect(documented.toSorted(byName)).toEqual(found.toSorted(byName));
  });

  test('documents every function of a cell', async () => {
    const found = (await fleet.cell(0).sql(FUNCTIONS)).map(({ name }) => name);
    const names = readTable(text, 'Cell: functions').map(([name = '']) => unquote(name));
    expect(names.toSorted()).toEqual(found);
  });

  test('documents every role of a cell', () => {
    const roles = readTable(text, 'Cell: roles').map(([name = '']) => unquote(name));
    expect(roles).toEqual(CELL_ROLES.map((role) => `credit_rollout_<dc>_${role}`));
  });
});
