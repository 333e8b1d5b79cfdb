// Orgs whose columns the source's view cannot even compute: they stop nothing that happens to the others.
import { afterEach, describe, expect, test } from 'vitest';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import type { TestCell } from '../../support/cell.js';
import { check, makeCell, one, outcomes } from './many-orgs.js';
import { runNight } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** A view that casts what the product keeps as text. */
async function makeSource(key: 'primary' | 'none'): Promise<TestCell> {
  const cell = await makeCell(dropped, 1_500, { view: true, key });
  await cell.sql(`alter table public.org_rows add seats text; update public.org_rows set seats = agents::text;
    create or replace view public.orgs as select org_id, edition, paid, seats::bigint as agents, light_agents,
      additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
  return cell;
}

describe('a night with orgs that cannot be read', () => {
  test.each(['primary', 'none'] as const)('retires, raises and lowers the others (key: %s)', async (key) => {
    const cell = await makeSource(key);
    await cell.sql(`update public.org_rows set seats = 'n/a' where org_id in (300, 801, 802)`);
    await cell.sql(
      'update public.org_rows set additional_credits = additional_credits + 1000 where org_id in (299, 301, 803)',
    );
    await cell.sql('update public.org_rows set additional_credits = 0 where additional_credits > 0 and org_id < 290');
    await cell.sql('delete from public.org_rows where org_id in (5, 302, 800, 1400)');
    const { runId } = await runNight(cell);
    const { found, healed } = await outcomes(cell, runId);
    expect(found).toBeGreaterThan(3);
    expect(healed).toBe(found);
    expect(await one(cell, 'select count(*) from credit_rollout.allotments where org_id in (5, 302, 800, 1400)')).toBe(
      '0',
    );
    expect(await one(cell, `select count(*) from credit_rollout.quarantine where reason = 'unreadable'`)).toBe('3');
    expect(await verifyDataCenter(cell.context, cell.dataCenter.id)).toMatchObject({ mismatches: 0, unaccounted: 0 });
    await check(cell, ['I1']);
  });
});
