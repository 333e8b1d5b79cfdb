// What cells keep of control's audit: who cuts its tail, writes it anew, or puts an older copy of control in its place,
// is found by `audit --verify`; and only control says what a cell keeps.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acceptAuditCut, findAuditCut, verifyAudit } from '../../src/engine/operate/verify-audit.js';
import { recordAuditHeads } from '../../src/engine/scheduler/record-audit-heads.js';
import { type ControlScene, openControlScene } from './control-scene.js';

const S = 'credit_rollout_control';
const [DENIED, RESTRICTED] = ['42501', '23001'];
const TABLES = ['audit', 'audit_links', 'audit_gaps', 'audit_head'];
const NONE = new Map<string, bigint>();

let scene: ControlScene;
let dcs: readonly [string, string];
beforeAll(async () => {
  scene = await openControlScene();
  dcs = scene.dataCenters;
});
afterAll(() => scene.drop());

const sql = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const enter = (...actions: readonly string[]): Promise<unknown> =>
  Promise.all(
    actions.map((action) => scene.logins.operator.attempt(`insert into ${S}.audit (action) values ('${action}')`)),
  );
const verify = () => verifyAudit(scene.fleet.engine, []);
const record = () => recordAuditHeads(scene.fleet.engine, NONE);
const headOfControl = async (): Promise<unknown> => (await sql(`select link, hash from ${S}.audit_head`))[0];
const keptBy = (cell: number): Promise<readonly Record<string, unknown>[]> =>
  scene.fleet.cell(cell).sql('select link, hash from credit_rollout.audit_heads order by link');
const copyControl = async (): Promise<void> => {
  for (const table of TABLES)
    await sql(`drop table if exists public.kept_${table}; create table public.kept_${table} as table ${S}.${table}`);
};
const restoreCopy = async (): Promise<void> => {
  for (const table of TABLES)
    await scene.past(`delete from ${S}.${table};
      insert into ${S}.${table} overriding system value table public.kept_${table}`);
};

describe('a cell', () => {
  test('keeps the head of the audit as soon as an entry stays, and none twice', async () => {
    await enter('one');
    const recorded = await record();
    for (const cell of [0, 1]) expect(await keptBy(cell)).toEqual([await headOfControl()]);
    expect(await recordAuditHeads(scene.fleet.engine, recorded)).toEqual(recorded);
    await enter('forget_plans');
    expect(await recordAuditHeads(scene.fleet.engine, recorded)).toEqual(recorded);
    await enter('two');
    await recordAuditHeads(scene.fleet.engine, recorded);
    await record();
    expect((await keptBy(0)).length).toBe(2);
    expect((await keptBy(0)).at(-1)).toEqual(await headOfControl());
    expect(await verify()).toMatchObject({ kind: 'intact', compared: dcs, notCompared: [] });
  });

  test('keeps nothing that control did not seal for it, nothing older, and what it has for ever', async () => {
    const { sql: inCell } = scene.fleet.cell(0);
    const keep = async (seal: unknown): Promise<unknown> =>
      (await inCell('select credit_rollout.keep_audit_head($1::jsonb) as kept', [JSON.stringify(seal)]))[0]?.kept;
    const seal = async (dc: string): Promise<Record<string, unknown>> =>
      (await sql(`select ${S}.seal_audit_head('${dc}') as seal`))[0]?.seal as Record<string, unknown>;
    const mine = await seal(dcs[0]);
    for (const wrong of [{ ...mine, link: 900 }, { ...mine, hash: '0'.repeat(64) }, await seal(dcs[1]), null])
      await expect(keep(wrong)).rejects.toMatchObject({ code: RESTRICTED });
    const before = await keptBy(0);
    await enter('three');
    const between = await seal(dcs[0]);
    await enter('four');
    const newer = await seal(dcs[0]);
    expect([await keep(newer), await keep(newer), await keep(between)]).toEqual([true, false, false]);
    expect(await keptBy(0)).toEqual([...before, await headOfControl()]);
    for (const deed of ['update credit_rollout.audit_heads set link = 1', 'delete from credit_rollout.audit_heads'])
      await expect(inCell(deed)).rejects.toMatchObject({ code: RESTRICTED });
    expect(await scene.logins.operator.attempt(`select ${S}.seal_audit_head('${dcs[0]}')`)).toBe(DENIED);
  });
});

describe('an older copy of control', () => {
  let lost: bigint;
  beforeAll(async () => {
    await enter('before the copy');
    await copyControl();
    lost = BigInt(String(((await headOfControl()) as { readonly link: string }).link)) + 1n;
    await enter('approve', 'after the copy');
    await record();
    await restoreCopy();
  });

  test('is found where its audit ends, by any cell, and by none that cannot be read', async () => {
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'cut', link: lost, keptBy: dcs[0] });
    const { cells } = scene.fleet.engine;
    const without = (...ids: readonly string[]) => ({
      ...scene.fleet.engine,
      cells: {
        get: (id: string) => {
          if (ids.includes(id)) throw new Error('it is away');
          return cells.get(id);
        },
      },
    });
    expect(await verifyAudit(without(dcs[0]), [])).toMatchObject({
      ...{ kind: 'broken', code: 'cut', link: lost, keptBy: dcs[1], notCompared: [dcs[0]] },
    });
    expect(await verifyAudit(without(...dcs), [])).toMatchObject({ kind: 'intact', compared: [], notCompared: dcs });
  });

  test('is found once it went on too, and cells keep nothing of that', async () => {
    const before = await keptBy(0);
    await enter('another', 'and another', 'and one more');
    await record();
    expect(await keptBy(0)).toEqual(before);
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'rewritten', link: lost + 1n, keptBy: dcs[0] });
  });

  test('goes on once a person has accepted what it lost, which is in the audit', async () => {
    // who only looks accepts nothing
    expect(await findAuditCut(scene.fleet.engine)).toEqual({ from: lost + 1n, to: lost + 1n });
    expect(await verify()).toMatchObject({ kind: 'broken' });
    const accepted = await acceptAuditCut(scene.fleet.engine, 'the disk was lost');
    expect(accepted).toEqual({ from: lost + 1n, to: lost + 1n });
    expect(await verify()).toMatchObject({ kind: 'intact', compared: dcs });
    await record();
    expect((await keptBy(1)).at(-1)).toEqual(await headOfControl());
    expect(await sql(`select reason, details from ${S}.audit where action = 'accept_audit_cut'`)).toEqual([
      { reason: 'the disk was lost', details: { from: String(lost + 1n), to: String(lost + 1n) } },
    ]);
    await expect(acceptAuditCut(scene.fleet.engine, 'again')).rejects.toMatchObject({ code: 'invalid_argument' });
    // what comes after that is watched as before
    await scene.past(`update ${S}.audit set reason = 'forged' where action = 'accept_audit_cut';
      delete from ${S}.audit_links; update ${S}.audit_head set link = 0, kept = 0, hash = '';
      select ${S}.append_link(a) from (select * from ${S}.audit order by seq) a`);
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'rewritten', keptBy: dcs[0] });
  });
});
