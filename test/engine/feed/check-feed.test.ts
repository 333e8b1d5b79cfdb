// What doctor reports about the change feed: which way edits are found, and the index that a way needs.
import { afterEach, describe, expect, test } from 'vitest';
import { checkFeed } from '../../../src/engine/doctor/check-feed.js';
import { createFindingRecorder, type Finding } from '../../../src/engine/doctor/finding.js';
import { installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { findSource } from '../../../src/stores/cell/setup/source.js';
import { createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeCell(options: TestCellOptions = {}): Promise<TestCell> {
  const cell = await createTestCell({ orgs: [{}], ...options });
  dropped.push(cell.drop);
  return cell;
}

async function findFeed({ cell, dataCenter }: TestCell): Promise<readonly Finding[]> {
  const source = await cell.asOwner((tx) => findSource(tx, dataCenter.source, dataCenter.id));
  const recorder = createFindingRecorder({ subject: dataCenter.id, title: 'Data center' }, 'change feed');
  return checkFeed({ cell, source }, recorder);
}

describe('checkFeed', () => {
  test('prints the index that updated_at needs, and accepts it', async () => {
    const cell = await makeCell();
    expect(await findFeed(cell)).toMatchObject([{ level: 'ok', found: expect.stringContaining('within seconds') }]);
    await cell.sql('drop index public.orgs_updated_at_idx');
    expect(await findFeed(cell)).toMatchObject([
      { level: 'warning', fix: 'Run: CREATE INDEX CONCURRENTLY ON public.orgs (updated_at);' },
    ]);
    await cell.sql('create index on public.orgs (updated_at) where paid');
    expect(await findFeed(cell)).toMatchObject([{ level: 'warning' }]);
  });

  test('knows triggers, and when they do not fire', async () => {
    const cell = await makeCell();
    await cell.sql('drop index public.orgs_updated_at_idx');
    await installChangeFeed(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, feed: 'wanted' });
    expect(await findFeed(cell)).toMatchObject([{ level: 'ok', found: expect.stringContaining('triggers') }]);
    await cell.sql('alter table public.orgs disable trigger credit_rollout_changes_update');
    expect(await findFeed(cell)).toMatchObject([
      { level: 'warning', found: expect.stringContaining('not on public.orgs, or disabled') },
    ]);
  });

  test('reports that a view may be slow, that nothing is installed, and the last failure', async () => {
    expect(await findFeed(await makeCell({ view: true }))).toMatchObject([
      { level: 'ok', found: expect.stringMatching(/^finding edits by updated_at takes \d+ ms: .* within seconds$/u) },
    ]);
    const slow = await makeCell({ view: true });
    const makeSlow = (seconds: number): Promise<unknown> =>
      slow.sql(`create or replace view public.orgs as select o.* from public.org_rows o, pg_sleep(${seconds})`);
    await makeSlow(0.3);
    expect(await findFeed(slow)).toMatchObject([
      { level: 'warning', found: expect.stringMatching(/a raise follows up to \d+ s after its edit$/u) },
    ]);
    await makeSlow(2.5);
    expect(await findFeed(slow)).toMatchObject([
      { level: 'warning', found: expect.stringContaining('raises wait for the nightly run') },
    ]);
    const cell = await makeCell({ init: 'left' });
    await cell.sql('alter table public.orgs drop column updated_at');
    await cell.init();
    await cell.sql(`update credit_rollout.feed set failure = 'too_slow'`);
    expect(await findFeed(cell)).toMatchObject([
      { level: 'ok', found: expect.stringContaining('nightly run') },
      { level: 'warning', found: expect.stringContaining('too_slow') },
    ]);
  });
});
