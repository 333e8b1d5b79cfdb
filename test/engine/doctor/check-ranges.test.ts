// What doctor says of a source that takes long for one org: whether it is computed as a whole for any range or takes its
// time for each org, what follows for a rollout, and nothing of one that is quick.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRanges } from '../../../src/engine/doctor/check-ranges.js';
import { createFindingRecorder } from '../../../src/engine/doctor/finding.js';
import { saveReadTimes } from '../../../src/stores/cell/setup/read-times.js';
import { createTestCell, type TestCell } from '../../support/cell.js';

let cell: TestCell;
beforeAll(async () => {
  cell = await createTestCell({ view: true, orgs: Array.from({ length: 600 }, () => ({})) });
  await cell.sql(`create function public.slowly(n bigint, seconds float8) returns bigint language plpgsql stable
    as $$ begin perform pg_sleep(seconds); return n; end $$`);
});
afterAll(() => cell.drop());

/** Where the rule reads the agents of an org, and what is read beside all orgs. */
const setView = (agents: string, beside = ''): Promise<unknown> =>
  cell.sql(`do $$ declare columns text := (select string_agg(case attname when 'agents' then $x$(${agents})::bigint$x$
      else quote_ident(attname) end || ' as ' || quote_ident(attname), ', ' order by attnum)
    from pg_attribute where attrelid = 'public.orgs'::regclass and attnum > 0);
    begin execute 'create or replace view public.orgs as select ' || columns || $x$ from org_rows${beside}$x$; end $$`);
async function check(oneOrgMs: number, orgListMs: number | null) {
  await cell.cell.asOwner((tx) => saveReadTimes(tx, { oneOrgMs, orgListMs }));
  return checkRanges({ cell: cell.cell }, createFindingRecorder({ subject: 'in', title: 'Data center' }, 'ranges'));
}
const WHOLE = '500 orgs are read in \\d+ ms, and fewer take as long: the view is computed as a whole each time';

test.each([
  ['nothing of a table', 'agents', '', [5, null], []],
  [
    'what a view costs that is computed as a whole',
    'agents',
    ', pg_sleep(0.05)',
    [50, 60],
    ['ok', `${WHOLE}; with 1,000,000 orgs a plan, `],
  ],
  ['that it costs much', 'agents', ', pg_sleep(0.6)', [600, 600], ['warning', `${WHOLE}; .* each read for 1 min`]],
  [
    'that a batch has no time for it',
    'agents',
    ', pg_sleep(2.1)',
    [2_100, 2_100],
    ['error', `${WHOLE}. A batch may take 2 s: a rollout would fail .batch_too_slow.`],
  ],
  [
    'what each org costs',
    'public.slowly(agents, 0.001)',
    '',
    [40, 600],
    ['ok', '500 orgs are .* each read for .* or longer'],
  ],
  [
    'that they cost much',
    'public.slowly(agents, 0.005)',
    '',
    [80, 1_200],
    ['warning', '500 orgs are read in .* or longer'],
  ],
] as const)('says %s', async (_, agents, beside, [one, list], [level, found]) => {
  await setView(agents, beside);
  expect(await check(one, list)).toEqual(
    level === undefined
      ? []
      : [expect.objectContaining({ level, found: expect.stringMatching(new RegExp(`^${found}`, 'u')) })],
  );
});
