// What cells keep of control's audit: who cuts its tail, writes it anew, or puts an older copy of control in its place,
// is found by `audit --verify`; and only control says what a cell keeps.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entryTextSql, hashSql } from '../../migrations/control/audit-chain.js';
import { acceptAuditCuts, findAuditCuts } from '../../src/engine/operate/accept-audit-cut.js';
import { verifyAudit } from '../../src/engine/operate/verify-audit.js';
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
    expect(await verifyAudit(without(...dcs), [])).toMatchObject({
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

  test('goes on once a person has accepted what it lost, which is in the audit', async () => {
    const kept = (await keptBy(0)).slice(-1);
    const cuts = dcs.map((dataCenter) => ({
      ...{ dataCenter, from: lost, to: lost + 1n, entries: 2n },
      heads: kept.map(({ link, hash }) => ({ link: BigInt(String(link)), hash })),
    }));
    // who only looks accepts nothing
    expect(await findAuditCuts(scene.fleet.engine)).toEqual(cuts);
    expect(await verify()).toMatchObject({ kind: 'broken', lost: cuts });
    expect(await acceptAuditCuts(scene.fleet.engine, 'the disk was lost')).toEqual(cuts);
    const details = { from: String(lost), to: String(lost + 1n), entries: '2', heads: kept };
    const entries = await sql(`select data_center, actor as "by", reason, details from ${S}.audit
      where action = 'accept_audit_cut' order by seq`);
    const reason = 'the disk was lost';
    expect(entries).toEqual(dcs.map((id) => ({ data_center: id, by: expect.any(String), reason, details })));
    expect(await verify()).toMatchObject({
      ...{ kind: 'accepted', compared: dcs, lost: [] },
      accepted: dcs.map((dataCenter) => ({ ...details, dataCenter, reason, by: entries[0]?.by })),
    });
    await record();
    expect((await keptBy(1)).at(-1)).toEqual(await headOfControl());
    await expect(acceptAuditCuts(scene.fleet.engine, 'again')).rejects.toMatchObject({ code: 'invalid_argument' });
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
  const accept = (heads: readonly unknown[], from = 'null', dc = dcs[0]): string =>
    `select ${S}.accept_audit_cut('${dc}', ${from}, '${JSON.stringify(heads)}', 'x')`;
  const refuse = (constraint: string) => expect.objectContaining({ code: RESTRICTED, constraint });

  test('by the function alone, whoever asks, and never as a range', async () => {
    const { viewer, approver, scheduler, operator, ...others } = scene.logins;
    const range = `insert into ${S}.audit (action, details)
      values ('accept_audit_cut', '{"from":"1","to":"999999999999999999"}')`;
    for (const login of [operator, approver, scheduler, ...Object.values(others)])
      await expect(login.read(range)).rejects.toEqual(refuse('audit_cut_function_check'));
    expect(await viewer.attempt(range)).toBe(DENIED);
    await expect(sql(range)).rejects.toEqual(refuse('audit_cut_function_check'));
    const gone = { link: '900', hash: '0'.repeat(64) };
    for (const login of [viewer, approver, scheduler]) expect(await login.attempt(accept([gone]))).toBe(DENIED);
    for (const wrong of [
      ...[
        accept([]),
        accept([{ ...gone, link: '0' }]),
        accept([{ ...gone, hash: '' }]),
        accept([gone, { link: '901' }]),
      ],
      ...[accept([gone], 'null', 'nowhere'), accept([gone], '0'), accept([gone], '900')],
      accept([gone]).replace(`'x'`, `''`),
    ])
      await expect(operator.read(wrong), wrong).rejects.toEqual(refuse('audit_cut_form_check'));
  });

  test('when it is lost, and not in advance', async () => {
    const { operator, operator2 } = scene.logins;
    await expect(operator.read(accept([await headOfControl()]))).rejects.toEqual(refuse('audit_cut_lost_check'));
    const [one, two] = [await operator.connect(), await operator2.connect()];
    try {
      await one.query('begin');
      await one.query(`insert into ${S}.audit (action) values ('foretold')`);
      const next = `(select h.link + 1 as link, h.kept + 1 as kept, false as routine, h.hash as before
        from ${S}.audit_head h) n`;
      const { rows } = await one.query(`select n.link, ${hashSql('n.before', entryTextSql('a', 'n'))} as hash
        from ${S}.audit a cross join ${next} where a.action = 'foretold'`);
      await two.query('begin');
      await two.query(accept(rows));
      await one.query('commit');
      expect(rows).toEqual([await headOfControl()]);
      await expect(two.query('commit')).rejects.toEqual(refuse('audit_cut_lost_check'));
    } finally {
      await one.end();
      await two.end();
    }
  });

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
    expect(await acceptAuditCuts(scene.fleet.engine, 'planted')).toMatchObject(lost);
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
