// The views between the product's relation and our schema: the only objects that name the product's table.

/** The source relation as found in the catalog; every part already quoted by the catalog. */
export interface AttachedSource {
  /** Quoted `"schema"."name"`. */
  readonly relation: string;
  /** Which optional columns it has. */
  readonly has: {
    readonly lightAgents: boolean;
    readonly additionalCredits: boolean;
    readonly legacyLimit: boolean;
    readonly updatedAt: boolean;
    readonly peakCredits: boolean;
  };
  /** Its editions have a collation of their own, which may take two of them for one. */
  readonly collatedEditions: boolean;
  /** True when a unique index proves that an org_id occurs once. */
  readonly unique: boolean;
  /** Ids are texts that may be longer than one that can be held. */
  readonly longIds: boolean;
}

/** An entry of an index holds 2,704 bytes, and some of ours have more in it: such an org cannot be held. */
const MOST_BYTES = 2_000;

/**
 * SQL: an id that our tables can hold. In this form because Postgres takes it for nearly always true, and "at most" for
 * a third of the rows. Reads no long value: its length is kept beside it.
 */
export const isHeld = (id: string, { longIds }: Pick<AttachedSource, 'longIds'>): string =>
  longIds ? `least(octet_length(${id}::text), ${MOST_BYTES + 1}) <> ${MOST_BYTES + 1}` : `${id} is not null`;

const optional = (present: boolean, column: string, otherwise: string): string =>
  `${present ? `${column}::bigint` : otherwise} as ${column}`;

// An edition is one of the card letter by letter, for each of the three that compute the rule: so never by a collation
// that knows no case. The window function uses exactly the expression of the domain: only then does a key range reach the scan below it.
/**
 * SQL that creates `source_orgs`, `source_faults`, `source_left_out` and, where the source has `updated_at`,
 * `source_updates`. A null org_id is counted in the second, one that is too long in the third; neither is in the others.
 */
export function createSourceOrgs(source: AttachedSource): string {
  const { has, longIds, collatedEditions } = source;
  return `
create view credit_rollout.source_orgs as
select org_id::credit_rollout.org_id as org_id, edition::text${collatedEditions ? ' collate pg_catalog."C"' : ''} as edition, paid,
  agents::bigint as agents,
  ${optional(has.lightAgents, 'light_agents', '0::bigint')},
  ${optional(has.additionalCredits, 'additional_credits', '0::bigint')},
  ${has.legacyLimit ? 'legacy_limit::bigint' : 'null::bigint'} as negotiated_limit,
  created_at,
  ${has.updatedAt ? 'updated_at' : 'null::timestamptz as updated_at'},
  ${optional(has.peakCredits, 'peak_credits', 'null::bigint')},
  ${source.unique ? 'false' : 'count(*) over (partition by org_id::credit_rollout.org_id) > 1'} as duplicated
from ${source.relation}
${source.unique && !longIds ? '' : `where ${isHeld('org_id', source)}`};
create view credit_rollout.source_faults as
select count(*) as null_ids from ${source.relation} where org_id is null;
create view credit_rollout.source_left_out as
${longIds ? countLongIds(source) : 'select 0::bigint as orgs'};
-- so that nobody who asks for it chooses the number
create function credit_rollout.note_left_out() returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  return credit_rollout.keep_left_out((select l.orgs from credit_rollout.source_left_out l));
end $$;
revoke all on function credit_rollout.note_left_out() from public;
-- for init: inside it the code of a view cannot become the login that runs init
create function credit_rollout.count_null_ids() returns bigint language sql stable
  security definer set search_path = pg_catalog, pg_temp begin atomic
select f.null_ids from credit_rollout.source_faults f;
end;${has.updatedAt ? createSourceUpdates(source) : ''}`;
}

const countLongIds = ({ relation }: AttachedSource): string =>
  `select count(*) as orgs from ${relation} where octet_length(org_id::text) > ${MOST_BYTES}`;

// Apart from source_orgs: where that counts duplicates, a condition on updated_at would not reach the scan below. The
// function is inlined: an index on updated_at gives its rows without a sort. What init and doctor measure is what the
// feed calls, for the edits of a moment ago: without any, it costs what every look costs.
const createSourceUpdates = ({ relation, longIds }: AttachedSource): string => `
create view credit_rollout.source_updates as
select org_id::credit_rollout.org_id as org_id, updated_at from ${relation}
where ${isHeld('org_id', { longIds })};
create function credit_rollout.list_updated(since timestamptz, past timestamptz, until timestamptz, most bigint)
  returns table (org_id credit_rollout.org_id, updated_at timestamptz) language sql stable begin atomic
select u.org_id, u.updated_at::timestamptz from credit_rollout.source_updates u
where u.updated_at >= since and u.updated_at > past and u.updated_at < until
order by u.updated_at desc limit most;
end;
create function credit_rollout.measure_look() returns real language plpgsql
  security definer set search_path = pg_catalog, pg_temp set jit = off set max_parallel_workers_per_gather = 0 as $$
declare
  began timestamptz; took real; best real;
begin
  for n in 1..3 loop
    began := clock_timestamp();
    execute format('select count(u.org_id) from credit_rollout.list_updated(%L, %L, %L, 20001) u',
      began - interval '10 seconds', '-infinity', began + interval '1 minute');
    took := extract(epoch from clock_timestamp() - began) * 1000;
    best := least(best, took);
    -- oftener what a busy machine may have made slow
    exit when best <= 100;
  end loop;
  return best;
end $$;`;
