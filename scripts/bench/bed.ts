// What every contender of a comparison runs on: one cell with orgs, a target table, rates, and the expected sums.
import { join } from 'node:path';
import type pg from 'pg';
import { projectFolder } from '../../src/compose.js';
import type { RateCard } from '../../src/domain/rate-card/rate-card.js';
import { ORG_MIX, SAMPLE_COLUMNS } from '../../src/sample/org-mix.js';
import { letOwnerReadSql } from '../../src/stores/cell/setup/roles.js';
import { checkpoint, recreateDatabase, withClient } from './database.js';
import type { BenchOptions } from './options.js';
import type { BenchSite } from './server.js';

/** The one data center of a benchmark. */
export const DATA_CENTER = { id: 'bench', zone: 'Asia/Kolkata' } as const;
export const RATE_CARD = join(projectFolder, 'src', 'sample', 'rate-card.yaml');
export const CONTROL = 'bench_control';

const ID_OFFSET = 10_000_000;
const SEED = 4;
const CHUNK = 500_000;

export interface BenchBed {
  readonly server: BenchSite;
  readonly options: BenchOptions;
  readonly card: RateCard;
  /** Name of the cell's database. */
  readonly cell: string;
  /** Orgs in the cell now. */
  readonly orgs: number;
  /** `process`: the product's worker runs compiled code in a process of its own. */
  readonly worker: 'process' | 'inline';
}

/** What a contender did. */
export interface Measure {
  readonly orgs: number;
  readonly ms: number;
  /** Rows in its target, and the sum of their totals: the same for all, or the comparison means nothing. */
  readonly written: number;
  readonly totalCredits: string;
}

/** Wraps what is measured of a contender, its preparation left out: traffic runs beside it. */
export type Beside = <T>(work: () => Promise<T>) => Promise<T>;
export const nothingBeside: Beside = (work) => work();

/** The id of the n-th org. */
export const orgId = (n: number): number => ID_OFFSET + n;

/** Makes the cell's database and its orgs; vacuumed, so that no contender pays for another's hint bits. */
export async function loadOrgs({ server, cell, orgs, options }: Omit<BenchBed, 'card'>): Promise<void> {
  await recreateDatabase(server.url('postgres'), cell);
  await withClient(server.url(cell), async (client) => {
    await client.query(`create table public.orgs (${SAMPLE_COLUMNS})`);
    await client.query(letOwnerReadSql(DATA_CENTER.id, 'public.orgs'));
    for (let from = 1; from <= orgs; from += CHUNK) {
      const to = Math.min(orgs, from + CHUNK - 1);
      await client.query(`insert into public.orgs ${ORG_MIX}`, [from, to, ID_OFFSET, SEED, options.undecidableEvery]);
    }
    await client.query('vacuum (analyze) public.orgs');
  });
}

/** An empty target with the contract's columns and a primary key only, and a checkpoint behind it. */
export async function resetTarget(bed: BenchBed): Promise<void> {
  const url = bed.server.url(bed.cell);
  await withClient(url, async (client) => {
    await client.query('drop schema if exists credit_rollout cascade');
    await client.query('truncate bench.allotments');
  });
  await checkpoint(url);
}

/** Makes `bench.allotments` from the product's own table, so that its columns and types can never be others. */
export async function createTarget(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ readonly definition: string }>(`
    select string_agg(format('%I %s%s', a.attname,
      format_type(case when t.typtype = 'd' then t.typbasetype else t.oid end, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end), ', ' order by a.attnum) as definition
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = 'credit_rollout.allotments'::regclass and a.attnum > 0 and not a.attisdropped`);
  await client.query('create schema bench');
  await client.query(`create table bench.allotments (${rows[0]?.definition}, primary key (org_id))`);
}

/** Rows and sum of totals in the target. */
export async function readTarget(bed: BenchBed): Promise<Pick<Measure, 'written' | 'totalCredits'>> {
  return withClient(bed.server.url(bed.cell), async (client) => {
    const { rows } = await client.query<{ readonly written: number; readonly total: string }>(
      'select count(*)::int as written, coalesce(sum(total_credits), 0)::text as total from bench.allotments',
    );
    return { written: rows[0]?.written ?? 0, totalCredits: rows[0]?.total ?? '' };
  });
}
