// A view of the product that raises an error, whatever its SQLSTATE, through every command that reads it. For every org:
// each ends with a code and a sentence that name the view. For one org: it is set aside, and counted as unreadable. Never
// "an unexpected error", "run init" or a text of the server.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { letOwnerRead } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { type RanCommand, runCommand } from '../captured-io.js';

/** From ten on, a source of which no org can be read is a broken view. */
const ORGS = 12;

let folder = '';
let config = '';
let fleet: Fleet;
let dc = '';

beforeAll(async () => {
  fleet = await createFleet({
    cells: [{ view: true, orgs: Array.from({ length: ORGS }, () => ({})) }],
    rollout: '{ approval: auto }',
  });
  const { dataCenter, url, sql } = fleet.cell(0);
  dc = dataCenter.id;
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-raising-'));
  config = join(folder, 'rollout.config.yaml');
  await writeFile(
    config,
    `controlDatabase: "${fleet.controlUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\nrollout: { approval: auto }\ndataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: public.orgs }\n`,
  );
  await sql(`create table public.spoil (class text not null, text text not null, org_id bigint);
    grant select on public.spoil to public;
    create function public.spoiled(org bigint, agents bigint) returns bigint language plpgsql stable as $$
    declare spoil record;
    begin
      select * into spoil from public.spoil;
      if spoil.class is null or org <> spoil.org_id then return agents; end if;
      if spoil.class = 'real' then execute spoil.text; end if;
      raise exception '%', spoil.text using errcode = spoil.class, detail = 'MARKER', hint = 'MARKER',
        constraint = 'MARKER', table = 'MARKER', schema = 'credit_rollout';
    end $$;
    create or replace view public.orgs as select org_id, edition, paid, public.spoiled(org_id, agents) as agents, light_agents,
      additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
  await letOwnerRead(sql, dc);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
}, 60_000);
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

const run = (...args: readonly string[]): Promise<RanCommand> => runCommand(...args, '--config', config);

/** For every org where none is given. */
async function spoil(as: string, text: string, orgId: number | null = null): Promise<void> {
  await fleet.cell(0).sql('delete from public.spoil');
  await fleet.cell(0).sql('insert into public.spoil values ($1, $2, $3)', [as, text, orgId]);
}

/** Every command that reads all of the source. */
const readers = (): readonly (readonly string[])[] => [
  ['plan', '--dc', dc],
  ['apply', '--dc', dc],
  ['verify', '--dc', dc],
  ['reconcile', '--dc', dc],
];
/** They do without it. */
const others = (): readonly (readonly string[])[] => [
  ['protect', '1', '--dc', dc, '--reason', 'x'],
  ['quarantine', '--dc', dc],
  ['init', '--dc', dc],
];
const why = (org: number): Promise<RanCommand> => run('why', String(org), '--dc', dc);
const override = (): Promise<RanCommand> => run('override', '1', '--dc', dc, '--floor', '5000', '--reason', 'x');
const UNREADABLE = /not possible; its source row cannot be read, so it keeps what it has/u;

const RELATION = 'relation "credit_rollout.cell" does not exist: MARKER';
/**
 * SQLSTATE, what is raised, and what is shown of it. One of each class that a command could take for something else.
 */
const RAISED = [
  ['P0001', 'MARKER', 'SQLSTATE P0001'],
  ['23505', 'MARKER', 'SQLSTATE 23505'],
  ['23514', 'MARKER', 'SQLSTATE 23514'],
  ['40001', 'MARKER', 'SQLSTATE 40001'],
  ['42501', 'permission denied for table MARKER', 'SQLSTATE 42501'],
  ['42P01', RELATION, 'SQLSTATE 42P01'],
  ['53100', 'MARKER', 'SQLSTATE 53100'],
  ['55P03', 'MARKER', 'SQLSTATE 55P03'],
  ['57014', 'MARKER', 'SQLSTATE 57014'],
  ['XX000', 'MARKER', 'SQLSTATE XX000'],
  ['MKMK1', 'MARKER', 'a SQLSTATE of its own'],
  // not raised: what the server finds wrong in a function
  ['real', 'select 1 from public.not_there', 'SQLSTATE 42P01'],
  ['real', 'select public.not_there(1)', 'SQLSTATE 42883'],
] as const;

/** Every command meets these; the others take turns, so that each command meets some of every kind. */
const TRIED_WITH_ALL: readonly string[] = ['P0001', '42P01', 'MKMK1'];
const turns = { taken: 0 };
function nextReaders(count: number): readonly (readonly string[])[] {
  const from = turns.taken;
  turns.taken += count;
  return readers()
    .map((_, n) => readers()[(from + n) % readers().length] ?? [])
    .slice(0, count);
}
const FORBIDDEN = /MARKER|internal|unexpected|not_initialised|undefined/u;

describe('a view that raises for every org', () => {
  test.each(RAISED)('%s (%s): is named by commands that read it', async (as, text, named) => {
    await spoil(as, text);
    const error = `error [source_failed] Data center "${dc}": the view of the source, or other code of the product, raised an error (${named}).`;
    for (const args of TRIED_WITH_ALL.includes(as) ? readers() : nextReaders(2)) {
      const { code, out, err } = await run(...args);
      expect([args[0], code, out]).toEqual([args[0], 1, '']);
      expect(err).toContain(error);
      expect(err).toMatch(/next: Select all rows and columns of the source/u);
      expect(err).not.toMatch(FORBIDDEN);
    }
    if (as === 'real') await expectUnreadable();
    if (!TRIED_WITH_ALL.includes(as)) return;
    await expectUnreadable();
    for (const args of others()) {
      const { code, out, err } = await run(...args);
      expect([args[0], code, err]).toEqual([args[0], 0, '']);
      expect(out).not.toMatch(FORBIDDEN);
    }
    const { out, err } = await run('doctor', '--dc', dc);
    expect(out).toMatch(new RegExp(`error +inputs: .*\\(${named}\\)\\. \\[source_failed\\]`, 'u'));
    expect(out + err).not.toMatch(FORBIDDEN);
  });

  test('says the same in JSON', async () => {
    await spoil('23505', 'MARKER');
    const { code, out } = await run('verify', '--dc', dc, '--json');
    expect([code, JSON.parse(out)]).toMatchObject([1, { error: { code: 'source_failed' } }]);
  });
});

/** Commands about org 1. */
async function expectUnreadable(): Promise<void> {
  const explained = await why(1);
  expect(explained).toMatchObject({ code: 0, out: expect.stringMatching(UNREADABLE), err: '' });
  const refused = await override();
  expect(refused).toMatchObject({ code: 6, out: '', err: expect.stringContaining('a row that cannot be read') });
  expect(explained.out + refused.err).not.toMatch(FORBIDDEN);
}

describe('a view that raises for one org', () => {
  test.each(['22P02', '40001', 'MKMK1'])('%s: commands set it aside, say so, and go on with the others', async (as) => {
    await spoil(as, 'MARKER', 1);
    const read = async (...args: readonly string[]): Promise<string> => {
      const { code, out, err } = await run(...args);
      expect([args[0], code, err]).toEqual([args[0], args[0] === 'verify' ? 3 : 0, '']);
      expect(out).not.toMatch(FORBIDDEN);
      return out;
    };
    for (const command of ['plan', 'apply'])
      expect(await read(command, '--dc', dc)).toMatch(
        /: 12 orgs of [\s\S]*11 orgs +pay[\s\S]* 1 org +are quarantined: .* 1 unreadable\n/u,
      );
    expect(await read('verify', '--dc', dc)).toMatch(
      /12 allotments checked[\s\S]*1 org cannot be read in the source[\s\S]*changed in the source since then: 0 /u,
    );
    expect(await read('reconcile', '--dc', dc)).toMatch(/12 orgs read [\s\S]*1 org cannot be decided/u);
    await expectUnreadable();
    expect((await why(2)).out).not.toMatch(UNREADABLE);
  });

  test('is a warning of doctor', async () => {
    await spoil('23505', 'MARKER', 1);
    const { out, err } = await run('doctor', '--dc', dc);
    expect(out).toMatch(/warning +inputs: some row raises an error when its columns are read.*; it is quarantined/u);
    expect(out + err).not.toMatch(FORBIDDEN);
  });
});

test.each(['23505', '40001'])(
  'a night that meets %s for every org fails; for one org, it sets that aside and goes on',
  async (as) => {
    await spoil(as, 'MARKER');
    expect((await run('reconcile', '--dc', dc, '--execute')).code).toBe(0);
    await expect(fleet.drive()).rejects.toMatchObject({ code: as });
    const newest = async (): Promise<readonly unknown[]> =>
      fleet.cell(0).sql(`select org_id, reason from credit_rollout.quarantine
        where run_id = (select max(run_id) from credit_rollout.runs)`);
    expect(await newest()).toEqual([]);
    await spoil(as, 'MARKER', 1);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await newest()).toEqual([{ org_id: '1', reason: 'unreadable' }]);
    const listed = await run('quarantine', '--dc', dc);
    expect(listed.out).toMatch(/quarantined 1 org; they keep [\s\S]*\n +1 +unreadable\n/u);
    expect(listed.out + listed.err).not.toMatch(FORBIDDEN);
    const ended = await fleet.control(`select state from credit_rollout_control.runs where kind = 'reconcile'`);
    expect(ended.every(({ state }) => state === 'done')).toBe(true);
  },
);
