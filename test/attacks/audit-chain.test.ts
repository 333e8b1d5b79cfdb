// The chain over the audit, in a real database: who writes it, what an owner does to it, what the retention leaves, and who
// accepts that a part of it is lost.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ChainHead } from '../../src/domain/operate/verify-chain.js';
import { type AuditProof, verifyAudit } from '../../src/engine/operate/verify-audit.js';
import { type ControlScene, openControlScene } from './control-scene.js';

const S = 'credit_rollout_control';
const [DENIED, RESTRICTED, CHECKED] = ['42501', '23001', '23514'];
const TABLES = ['audit', 'audit_links', 'audit_gaps', 'audit_head'];
const insert = (action: string): string => `insert into ${S}.audit (actor, action) values ('x', '${action}')`;

let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
  for (let n = 1; n <= 5; n += 1) await scene.logins.operator.attempt(insert(`deed ${n}`));
});
afterAll(() => scene.drop());

const sql = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const verify = (...heads: readonly ChainHead[]): Promise<AuditProof> => verifyAudit(scene.fleet.engine, heads);
const readHead = async (): Promise<ChainHead> => {
  const [row] = await sql(`select link::text, hash from ${S}.audit_head`);
  return { link: BigInt(String(row?.link)), hash: String(row?.hash) };
};
const LINK = `(select link from ${S}.audit_links l join ${S}.audit a using (seq) where a.action = 'deed 3')`;
const linkOf = async (action: string): Promise<bigint> =>
  BigInt(
    String(
      (
        await sql(`select link::text from ${S}.audit_links join ${S}.audit a using (seq)
    where a.action = '${action}'`)
      )[0]?.link,
    ),
  );

describe('the chain over the audit', () => {
  test('has a link for each entry, whoever wrote it and however many at once', async () => {
    const { operator, approver, scheduler } = scene.logins;
    const deeds = Array.from({ length: 12 }, (_, n) =>
      [operator, approver, scheduler][n % 3]?.attempt(insert(`at once ${n}`)),
    );
    expect(new Set(await Promise.all(deeds))).toEqual(new Set(['done']));
    expect(await operator.attempt('begin', insert('one'), insert('two'), 'commit')).toBe('done');
    expect(await operator.attempt('begin', insert('taken back'), 'rollback')).toBe('done');
    const [row] = await sql(`select count(*)::int as entries, max(l.link)::int as last, count(l.link)::int as links
      from ${S}.audit a full join ${S}.audit_links l using (seq)`);
    expect(row).toEqual({ entries: row?.links, links: row?.links, last: row?.links });
    expect(await verify(await readHead())).toMatchObject({ kind: 'intact', entries: BigInt(String(row?.links)) });
  });

  test('is written by no login', async () => {
    for (const login of Object.values(scene.logins))
      for (const table of TABLES.slice(1))
        for (const statement of [
          `update ${S}.${table} set hash = ''`,
          `delete from ${S}.${table}`,
          `insert into ${S}.${table} default values`,
          `select * from ${S}.${table} for update`,
        ])
          expect(await login.attempt(statement), statement).toBe(DENIED);
    for (const call of [`append_link(null::${S}.audit)`, 'chain_entry()', 'leave_gaps()'])
      expect(await scene.logins.operator.attempt(`select ${S}.${call}`)).toBe(DENIED);
  });

  test('is held by nobody who has not committed', async () => {
    const { operator } = scene.logins;
    for (const names of ['all', `${S}.audit_chained`])
      expect(await operator.attempt('begin', `set constraints ${names} immediate`, insert('held'), 'commit')).toBe(
        RESTRICTED,
      );
    expect(await operator.attempt('begin', insert('held'), `set constraints all immediate`, 'commit')).toBe(RESTRICTED);
    expect(await operator.attempt('begin', insert('held'), `prepare transaction 'held'`)).toMatch(/^(0A000|55000)$/u);
  });

  test('takes no entry of an old snapshot', async () => {
    const begin = 'begin isolation level repeatable read';
    expect(await scene.logins.operator.attempt(begin, insert('old'), 'commit')).toBe('55000');
    expect(await verify()).toMatchObject({ kind: 'intact' });
  });
});

describe('an owner who', () => {
  beforeAll(async () => {
    for (const table of TABLES) await sql(`create table public.kept_${table} as table ${S}.${table}`);
  });
  afterEach(async () => {
    for (const table of TABLES)
      await scene.past(`delete from ${S}.${table};
        insert into ${S}.${table} overriding system value table public.kept_${table}`);
    expect(await verify()).toMatchObject({ kind: 'intact' });
  });
  const swap = `update ${S}.audit a set action = o.action, at = o.at from public.kept_audit o
    where (a.action, o.action) in (('deed 3', 'deed 4'), ('deed 4', 'deed 3'))`;

  test.each([
    ['changes an entry', `update ${S}.audit set reason = 'forged' where action = 'deed 3'`, 'changed'],
    [
      'changes when it was',
      `update ${S}.audit set at = at - interval '1 microsecond' where action = 'deed 3'`,
      'changed',
    ],
    ['removes an entry', `delete from ${S}.audit where action = 'deed 3'`, 'missing'],
    [
      'removes an entry with its link',
      `delete from ${S}.audit_links where link = ${LINK}; delete from ${S}.audit where action = 'deed 3'`,
      'missing',
    ],
    ['exchanges two entries', swap, 'changed'],
  ])('%s is found at that entry', async (_, deed, code) => {
    const at = await linkOf('deed 3');
    await scene.past(deed);
    expect(await verify()).toMatchObject({ kind: 'broken', code, link: at });
  });

  test('hides an entry in a gap of the retention is found behind it', async () => {
    const at = await linkOf('deed 3');
    await scene.past(`insert into ${S}.audit_gaps select link, link, hash from ${S}.audit_links where link = ${LINK};
      delete from ${S}.audit_links where link = ${LINK}; delete from ${S}.audit where action = 'deed 3'`);
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'missing', link: at + 1n });
  });

  test('adds an entry past the triggers is found', async () => {
    await scene.past(insert('slipped in'));
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'unchained' });
  });

  test('cuts the tail, with its head, is found by a head that was kept', async () => {
    const head = await readHead();
    const cut = `delete from ${S}.audit a using ${S}.audit_links l where l.seq = a.seq and l.link > ${LINK};
      delete from ${S}.audit_links where link > ${LINK}`;
    await scene.past(cut);
    expect(await verify()).toMatchObject({ kind: 'broken', code: 'cut' });
    await sql(`update ${S}.audit_head h set link = l.link, kept = l.kept, hash = l.hash
      from ${S}.audit_links l where l.link = ${LINK}`);
    expect(await verify()).toMatchObject({ kind: 'intact' });
    expect(await verify(head)).toMatchObject({ kind: 'broken', code: 'cut', link: (await linkOf('deed 3')) + 1n });
  });

  test('writes an entry and every link after it anew is found by a head that was kept', async () => {
    const head = await readHead();
    await scene.past(`update ${S}.audit set actor = 'somebody else' where action = 'deed 3';
      delete from ${S}.audit_links; update ${S}.audit_head set link = 0, kept = 0, hash = '';
      select ${S}.append_link(a) from (select * from ${S}.audit order by seq) a`);
    expect(await verify()).toMatchObject({ kind: 'intact', link: head.link });
    expect(await verify(head)).toMatchObject({ kind: 'broken', code: 'rewritten', link: head.link });
  });
});

test('the retention leaves one gap, which proves what is left', async () => {
  const old = (action: string): string =>
    `insert into ${S}.audit (actor, action, at) select 'x', '${action}', now() - interval '3 years' from generate_series(1, 3)`;
  await sql(`alter table ${S}.audit disable trigger audit_signed`);
  for (const action of ['forget_plans', 'forget_drift', 'apply', 'forget_nights']) await sql(old(action));
  await sql(`alter table ${S}.audit enable trigger audit_signed`);
  const head = await readHead();
  const before = await verify();
  expect(before).toMatchObject({ kind: 'intact', deleted: 0n });
  // every second one first: gaps that meet become one
  await sql(
    `delete from ${S}.audit a where ${S}.is_routine(a) and a.at < now() - interval '2 years' and a.seq % 2 = 0`,
  );
  expect(await verify(head)).toMatchObject({ kind: 'intact' });
  await sql(`select ${S}.purge_nights(500, 10)`);
  expect(await verify(head)).toMatchObject({ kind: 'intact', deleted: 9n, link: head.link });
  expect(
    await sql(`select (last_link - first_link + 1)::int as links from ${S}.audit_gaps order by first_link`),
  ).toEqual([{ links: 6 }, { links: 3 }]);
  expect(await scene.logins.operator.attempt(insert('afterwards'))).toBe('done');
  expect(await verify(head)).toMatchObject({ kind: 'intact', link: head.link + 1n });
});

describe('a loss of the audit is accepted', () => {
  const headAsText = async () => ({ ...(await readHead()), link: String((await readHead()).link) });
  const gone = { link: '900', hash: '0'.repeat(64) };
  const propose = (heads: readonly unknown[], from: unknown = null, dc: string = scene.dataCenters[0]): string =>
    `insert into ${S}.audit_cuts (parts, reason)
      values ('${JSON.stringify([{ data_center: dc, from, heads }])}', 'x') returning cut_id`;
  const ACCEPT = `update ${S}.audit_cuts set state = 'accepted' where state = 'proposed'`;
  const WITHDRAW = `update ${S}.audit_cuts set state = 'withdrawn' where state = 'proposed'`;
  const refuse = (constraint: string) => expect.objectContaining({ code: RESTRICTED, constraint });
  const countAccepted = async (): Promise<unknown> =>
    (await sql(`select count(*) as n from ${S}.audit where action = 'accept_audit_cut'`))[0]?.n;

  test('by the approval alone, whoever asks, and never as a range', async () => {
    const { viewer, approver, scheduler, operator, ...others } = scene.logins;
    const range = `insert into ${S}.audit (action, details)
      values ('accept_audit_cut', '{"from":"1","to":"999999999999999999"}')`;
    for (const login of [operator, approver, scheduler, ...Object.values(others)])
      await expect(login.read(range)).rejects.toEqual(refuse('audit_cut_function_check'));
    expect(await viewer.attempt(range)).toBe(DENIED);
    await expect(sql(range)).rejects.toEqual(refuse('audit_cut_function_check'));
    for (const login of [viewer, approver, scheduler]) expect(await login.attempt(propose([gone]))).toBe(DENIED);
    for (const wrong of [
      ...[propose([]), propose([{ ...gone, link: '0' }]), propose([{ ...gone, hash: '' }])],
      ...[
        propose([gone, { link: '901' }]),
        propose([gone], null, 'nowhere'),
        propose([gone], '0'),
        propose([gone], '900'),
      ],
      ...[propose(Array.from({ length: 501 }, () => gone)), propose([gone]).replace('"from"', '"to"')],
      ...['{}', '[]', '[1]', '[{"heads":[]}]', '[{"heads":{}}]', 'null'].map(
        (parts) => `insert into ${S}.audit_cuts (parts, reason) values ('${parts}', 'x')`,
      ),
    ])
      await expect(operator.read(wrong), wrong).rejects.toEqual(refuse('audit_cut_form_check'));
    expect(await operator.attempt(propose([gone]).replace(`'x'`, `''`))).toBe(CHECKED);
  });

  test('by nobody alone, with any statement that they may send', async () => {
    const before = await countAccepted();
    const { operator, operator2, both, viewer, approver, scheduler } = scene.logins;
    expect(await operator.attempt(propose([gone]))).toBe('done');
    for (const login of [operator, operator2, viewer, scheduler]) expect(await login.attempt(ACCEPT)).toBe(DENIED);
    for (const [deed, code] of [
      [`select ${S}.accept_audit_cut()`, DENIED],
      [`select ${S}.accept_audit_cut('${scene.dataCenters[0]}', 900, '[]', 'x')`, '42883'],
      ...[`approver = 'x'`, `author = 'x'`, 'author_login = null', 'alone = true', `parts = '[]'`, `reason = 'y'`].map(
        (set) => [`update ${S}.audit_cuts set ${set}`, DENIED],
      ),
      [`update ${S}.audit_cuts set state = 'proposed'`, RESTRICTED],
      [`delete from ${S}.audit_cuts`, DENIED],
      [
        `create trigger t after update on ${S}.audit_cuts for each row execute function ${S}.accept_audit_cut()`,
        DENIED,
      ],
      [`insert into ${S}.audit_cuts (parts, reason, state) values ('[]', 'x', 'accepted')`, DENIED],
    ] as const)
      expect(await both.attempt(String(deed)), deed).toBe(code);
    expect(await operator.attempt(propose([gone]))).toBe('23505');
    for (const change of [`parts = '[]'`, `author = 'x'`, `reason = 'y'`, 'author_login = null'])
      await expect(sql(`update ${S}.audit_cuts set ${change}, state = 'withdrawn'`), change).rejects.toMatchObject({
        code: RESTRICTED,
      });
    for (const deed of [`delete from ${S}.audit_cuts`, `truncate ${S}.audit_cuts`])
      await expect(sql(deed), deed).rejects.toMatchObject({ code: RESTRICTED });
    expect(await operator.attempt(WITHDRAW)).toBe('done');
    expect(await approver.attempt(`update ${S}.audit_cuts set state = 'accepted'`)).toBe(RESTRICTED);
    // who may both propose and approve, and the owner, are one person too; under a new name as well
    for (const as of [(text: string) => both.read(text), sql]) {
      await as(propose([gone]));
      await expect(as(ACCEPT)).rejects.toMatchObject({ code: CHECKED, constraint: 'audit_cuts_two_people_check' });
      await as(WITHDRAW);
    }
    // a login of that name is the same person, whatever its number
    await both.read(propose([gone]));
    await scene.past(`update ${S}.audit_cuts set author_login = (select oid from pg_roles where rolname = '${operator.name}')
      where state = 'proposed'`);
    await expect(both.read(ACCEPT)).rejects.toMatchObject({ code: CHECKED, constraint: 'audit_cuts_two_people_check' });
    await operator.read(WITHDRAW);
    await both.read(propose([gone]));
    await sql(`alter role "${both.name}" rename to "renamed_${both.name}"`);
    try {
      await expect(sql(`set local session authorization "renamed_${both.name}"; ${ACCEPT}`)).rejects.toMatchObject({
        ...{ code: CHECKED, constraint: 'audit_cuts_two_people_check' },
      });
    } finally {
      await sql(`alter role "renamed_${both.name}" rename to "${both.name}";
        alter role "${both.name}" password 'secret'`);
    }
    await operator.read(WITHDRAW);
    expect(await countAccepted()).toBe(before);
  });

  test('when it is lost, and by who still may approve', async () => {
    const { operator, approver } = scene.logins;
    await operator.read(propose([await headAsText()]));
    await expect(approver.read(ACCEPT)).rejects.toEqual(refuse('audit_cut_lost_check'));
    const before = await countAccepted();
    const open = await approver.connect();
    try {
      await open.query('begin');
      await open.query(ACCEPT);
      await sql(`alter role "${approver.name}" nologin`);
      await expect(open.query('commit')).rejects.toEqual(refuse('approvals_approver_left'));
    } finally {
      await sql(`alter role "${approver.name}" login`);
      await open.end();
    }
    expect(await approver.attempt('begin', ACCEPT, 'set constraints all immediate')).toBe(RESTRICTED);
    await operator.read(WITHDRAW);
    expect(await countAccepted()).toBe(before);
  });
});
