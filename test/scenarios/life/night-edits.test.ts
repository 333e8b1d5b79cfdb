// Nights after hand edits and restored backups, and the dry run that shows what a night would do.
import { afterEach, describe, expect, test } from 'vitest';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { createTestCell } from '../../support/cell.js';
import { check, makeCell, one } from './many-orgs.js';
import { beginLife } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

describe('hand edits and backups', () => {
  const begin = async () => {
    const life = await beginLife({}, dropped);
    await life.cutOver();
    return life;
  };

  test('a number that somebody’s SQL raised goes back to what the rule gives', async () => {
    const life = await begin();
    await life.cell.sql(
      `update credit_rollout.allotments set additional_credits = 900000, total_credits = total_credits + 900000 where org_id = 1`,
    );
    expect(await life.night()).toMatchObject({ cause: 'manual edit', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, version: 3 });
    expect(await life.night()).toBeUndefined();
    await check(life.cell);
  });

  test('a floor that somebody’s SQL raised is proposed to be what it was, every night', async () => {
    const life = await begin();
    await life.cell.sql(
      `update credit_rollout.allotments set floor = 999000, grandfathered_credits = 874000, total_credits = 999000, winner = 'legacy' where org_id = 1`,
    );
    const proposed = { cause: 'manual edit', movement: 'same', outcome: 'proposed', proposed: 150_000 };
    expect(await life.night()).toEqual(proposed);
    expect(await life.night()).toEqual(proposed);
    expect(await life.readAllotment()).toMatchObject({ total: 999_000 });
  });

  test('an edit that comes to what the rule gives is no drift', async () => {
    const life = await begin();
    await life.cell.sql('update credit_rollout.allotments set computed_at = now() where org_id = 1');
    expect(await life.night()).toBeUndefined();
  });

  test('an allotment that somebody deleted comes back with its floor, whatever the inputs are today', async () => {
    const life = await begin();
    await life.edit({ agents: 100 });
    await life.night();
    await life.cell.sql('delete from credit_rollout.allotments where org_id = 1');
    expect(await life.sweep()).toMatchObject({ cause: 'manual edit', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
    await check(life.cell);
  });

  test('a row that is older than its own record is a restored backup', async () => {
    const life = await begin();
    await life.edit({ agents: 500 });
    await life.night();
    await life.cell.sql(`begin; set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 1;
      insert into credit_rollout.allotments select b.* from credit_rollout.allotment_changes c,
        jsonb_populate_record(null::credit_rollout.allotments, c.before) b where c.org_id = 1; commit`);
    expect(await life.night()).toMatchObject({ cause: 'restored backup', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 175_000 });
  });

  test('a row that is lost, though it was changed once, comes back with its floor', async () => {
    const life = await begin();
    await life.edit({ agents: 100 });
    await life.night();
    await life.cell.sql(
      'begin; set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 1; commit',
    );
    expect(await life.night()).toMatchObject({ cause: 'restored backup', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
  });

  test('an org of the rollout that lost its row at a change of timeline is named so', async () => {
    const life = await begin();
    await life.cell.sql(`begin; set local session_replication_role = replica; delete from credit_rollout.allotments where org_id = 1;
      update credit_rollout.batches set timeline = '000000FE'; commit`);
    expect(await life.night()).toMatchObject({ cause: 'restored backup', outcome: 'healed' });
  });
});

describe('previewDrift', () => {
  test('shows what a night would do, stores nothing, and names the orgs', async () => {
    const cell = await makeCell(dropped, 400);
    await cell.sql('update public.orgs set paid = false where org_id between 1 and 30');
    await cell.sql(`update public.orgs set agents = -1 where org_id = 41`);
    await cell.insertOrgs({ org_id: 5_000 });
    const caps = { maxChanged: null, maxLapsed: 5, falls: 'within_limits' } as const;
    const preview = await previewDrift(cell.context, { dataCenter: cell.dataCenter.id, caps, limit: 3 });
    expect(preview).toMatchObject({ orgs: 401, undecidable: 3 });
    expect(preview.reasons).toEqual([expect.stringMatching(/^\d+ orgs would lapse, above 5$/u)]);
    expect(preview.counts).toContainEqual({
      cause: 'late input',
      movement: 'first',
      orgs: 1,
      proposals: 0,
      outcome: 'to_heal',
    });
    expect(preview.counts).toContainEqual(
      expect.objectContaining({ cause: 'lapse', movement: 'fall', outcome: 'proposed' }),
    );
    expect(preview.listed).toHaveLength(3);
    expect(await one(cell, 'select count(*) from credit_rollout.drift')).toBe('0');
  });

  test('rejects a cell that has not been rolled out', async () => {
    const cell = await createTestCell();
    dropped.push(cell.drop);
    const caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' } as const;
    await expect(previewDrift(cell.context, { dataCenter: cell.dataCenter.id, caps, limit: 3 })).rejects.toMatchObject({
      code: 'wrong_stage',
    });
  });
});
