// What cells keep of control's audit: who cuts its tail, writes it anew, or puts an older copy of control in its place,
// is found by `audit --verify`; and only control says what a cell keeps.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  approveAuditCut,
  findAuditCuts,
  proposeAuditCut,
  withdrawAuditCut,
} from '../../src/engine/operate/accept-audit-cut.js';
import { verifyAudit } from '../../src/engine/operate/verify-audit.js';
import { recordAuditHeads } from '../../src/engine/scheduler/record-audit-heads.js';
import { type ControlLogin, type ControlScene, openControlScene } from './control-scene.js';

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
/** Whose cells of these cannot be read. */
const without = (login: ControlLogin, ...ids: readonly string[]) => {
  const engine = scene.engineOf(login);
  const get = (id: string) => {
    if (ids.includes(id)) throw new Error('it is away');
    return engine.cells.get(id);
  };
  return { ...engine, cells: { ...engine.cells, get } };
};
const proposeAs = (login: ControlLogin, reason: string, dc?: string) =>
  proposeAuditCut(scene.engineOf(login), reason, dc);
const approveAs = (login: ControlLogin, cutId: bigint) => approveAuditCut(scene.engineOf(login), cutId, null);
const record = () => recordAuditHeads(scene.fleet.engine, NONE);
const headOfControl = async (): Promise<Record<string, unknown>> =>
  (await sql(`select link, hash from ${S}.audit_head`))[0] ?? {};
const linkOfHead = async (): Promise<bigint> => BigInt(String((await headOfControl()).link));
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
    lost = (await linkOfHead()) + 1n;
    await enter('approve', 'after the copy');
    await record();
    await restoreCopy();
  });

  test('is found where its audit ends, by any cell, and by none that cannot be read', async () => {
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'cut', link: lost, keptBy: dcs[0] });
    expect(await verifyAudit(without('viewer', dcs[0]), [])).toMatchObject({
      ...{ kind: 'broken', code: 'cut', link: lost, keptBy: dcs[1], notCompared: [dcs[0]] },
    });
    expect(await verifyAudit(without('viewer', ...dcs), [])).toMatchObject({
      ...{ kind: 'uncompared', compared: [], notCompared: dcs },
    });
  });

  test('is found once it went on too, and cells keep nothing of that', async () => {
    const before = await keptBy(0);
    await enter('another', 'and another', 'and one more');
    await record();
    expect(await keptBy(0)).toEqual(before);
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'rewritten', link: lost + 1n, keptBy: dcs[0] });
  });

  test('goes on for no proposal that is withdrawn, of the same person, or of what is no longer so', async () => {
    const before = await keptBy(0);
    const { cutId, ...proposed } = await proposeAs('both', 'the disk was lost');
    expect(proposed).toMatchObject({ state: 'proposed', author: scene.logins.both.name, heads: 2, dataCenters: dcs });
    expect(await verify()).toMatchObject({ kind: 'broken', proposed: { cutId } });
    await record();
    expect(await keptBy(0)).toEqual(before);
    await expect(proposeAs('operator', 'again')).rejects.toMatchObject({ code: 'audit_cut_open' });
    await expect(approveAs('both', cutId)).rejects.toMatchObject({ code: 'same_person' });
    await expect(approveAs('operator', cutId)).rejects.toMatchObject({ code: DENIED });
    await expect(approveAuditCut(without('approver', dcs[1]), cutId, null)).rejects.toMatchObject({
      code: 'database_unreachable',
    });
    const { sql: inCell } = scene.fleet.cell(1);
    await inCell(`insert into credit_rollout.audit_heads (link, hash) values (900000, repeat('0', 64))`);
    await expect(approveAs('approver', cutId)).rejects.toMatchObject({ code: 'audit_cut_outdated', exitCode: 6 });
    await inCell(`set local session_replication_role = replica;
      delete from credit_rollout.audit_heads where link = 900000`);
    await withdrawAuditCut(scene.engineOf('operator2'), 'a mistake');
    await expect(approveAs('approver', cutId)).rejects.toMatchObject({ code: 'audit_cut_decided' });
    await expect(approveAs('approver', cutId + 9n)).rejects.toMatchObject({ code: 'audit_cut_unknown' });
    await expect(withdrawAuditCut(scene.engineOf('operator'), 'x')).rejects.toMatchObject({
      code: 'audit_cut_unknown',
    });
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/u);
    const details = { cut: `h${cutId}`, author: scene.logins.both.name, data_centers: dcs, heads: '2', digest };
    expect(
      await sql(`select action, actor, reason, details from ${S}.audit where action like '%audit_cut' order by seq`),
    ).toEqual([
      { action: 'propose_audit_cut', actor: scene.logins.both.name, reason: 'the disk was lost', details },
      { action: 'withdraw_audit_cut', actor: scene.logins.operator2.name, reason: 'a mistake', details },
    ]);
  });

  test('goes on once two people have accepted what it lost, which is in the audit', async () => {
    const kept = (await keptBy(0)).slice(-1);
    const cuts = dcs.map((dataCenter) => ({
      ...{ dataCenter, from: lost, to: lost + 1n, entries: 2n },
      heads: kept.map(({ link, hash }) => ({ link: BigInt(String(link)), hash })),
    }));
    // who only looks accepts nothing
    expect(await findAuditCuts(scene.fleet.engine)).toEqual(cuts);
    expect(await verify()).toMatchObject({ kind: 'broken', lost: cuts });
    const { cutId } = await proposeAs('operator', 'the disk was lost');
    expect(await approveAs('approver', cutId)).toMatchObject({
      state: 'accepted',
      approver: scene.logins.approver.name,
    });
    const author = scene.logins.operator.name;
    const found = { from: String(lost), to: String(lost + 1n), entries: '2', heads: kept };
    const details = { ...found, cut: `h${cutId}`, author };
    const entries = await sql(`select data_center, actor as "by", reason, details from ${S}.audit
      where action = 'accept_audit_cut' order by seq`);
    const reason = 'the disk was lost';
    const by = scene.logins.approver.name;
    expect(entries).toEqual(dcs.map((id) => ({ data_center: id, by, reason, details })));
    expect(await verify()).toMatchObject({
      ...{ kind: 'accepted', compared: dcs, lost: [], proposed: null },
      accepted: dcs.map((dataCenter) => ({ ...found, dataCenter, reason, by, author })),
    });
    await record();
    expect((await keptBy(1)).at(-1)).toEqual(await headOfControl());
    await expect(proposeAs('operator', 'again')).rejects.toMatchObject({ code: 'invalid_argument' });
    // what comes after that is watched as before
    await copyControl();
    await scene.past(`update ${S}.audit set reason = 'forged' where action = 'accept_audit_cut';
      delete from ${S}.audit_links; update ${S}.audit_head set link = 0, kept = 0, hash = '';
      select ${S}.append_link(a) from (select * from ${S}.audit order by seq) a`);
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'rewritten', keptBy: dcs[0] });
    await restoreCopy();
  });
});

describe('what is lost is accepted', () => {
  test('cell by cell: what the owner of one writes there hides nothing of another', async () => {
    const taken = new Set((await keptBy(1)).map(({ link }) => String(link)));
    const low = [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n].find((link) => !taken.has(String(link))) ?? 0n;
    const [far, farthest] = [900_000_000_000n, 9_000_000_000_000_000_000n];
    await scene.fleet.cell(1).sql(`insert into credit_rollout.audit_heads (link, hash)
      select link, repeat('0', 64) from unnest(array[${low}, ${far}, ${farthest}]::bigint[]) link`);
    const lost = [
      { dataCenter: dcs[1], from: low, to: low, entries: 1n },
      { dataCenter: dcs[1], from: far, to: farthest, entries: null },
    ];
    expect(await verify()).toMatchObject({ kind: 'broken', keptBy: dcs[1], lost });
    const { cutId } = await proposeAs('operator', 'planted', dcs[1]);
    expect(await approveAs('approver', cutId)).toMatchObject({ state: 'accepted', heads: 3, dataCenters: [dcs[1]] });
    const silent = [{ dataCenter: dcs[1], until: farthest + 1n }];
    expect(await verify()).toMatchObject({ kind: 'accepted', lost: [], silent });
    await copyControl();
    const from = (await linkOfHead()) + 1n;
    for (const deed of ['one deed', 'another deed', 'a third deed']) await enter(deed);
    await record();
    await restoreCopy();
    const cut = { dataCenter: dcs[0], from, to: from + 2n, entries: 3n };
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'cut', link: from, keptBy: dcs[0], lost: [cut] });
    await expect(findAuditCuts(scene.fleet.engine, dcs[1])).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await findAuditCuts(scene.fleet.engine, dcs[0])).toMatchObject([cut]);
  });
});
