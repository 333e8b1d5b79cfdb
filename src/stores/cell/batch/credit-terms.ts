// The terms that the rule gives and that an allotment stores, as parts of the statements that write allotments. Only
// text: no statement, and no term is computed here.

/** In one order for every INSERT and its SELECT. */
const CREDIT_COLUMNS = [
  'org_id',
  'edition',
  'paid',
  'agents',
  'light_agents',
  'negotiated_limit',
  'base_credits',
  'variable_credits',
  'additional_credits',
  'legacy_limit',
  'floor',
  'floor_edition',
  'unpaid_since',
  'grandfathered_credits',
  'total_credits',
  'concurrency_limit',
  'winner',
  // the function checksum_columns has this order
  'rate_card',
] as const;

/** The columns as INSERT lists them. */
const CREDIT_TERMS = CREDIT_COLUMNS.join(', ');

/** The columns as SELECT takes them from `row`. */
const creditTermsOf = (row: string): string => CREDIT_COLUMNS.map((column) => `${row}.${column}`).join(', ');

/** What an INSERT of ours lists: the terms, where the row comes from, and its checksum. */
export const INSERTED_COLUMNS = `${CREDIT_TERMS}, origin, run_id, checksum`;

/** The values of these columns from `row`. The checksum is that of the stored row, so that no trigger computes it. */
export const insertedFrom = (row: string, origin: string, runId: string): string =>
  `${creditTermsOf(row)}, ${origin}, ${runId},
     credit_rollout.checksum_columns(${creditTermsOf(row)}, ${origin}, ${runId}, 1, now())`;

/**
 * The same for the first decisions of a run under the card `:card_hash`: what their checksums share is computed once.
 * `row` gives computed columns, so that none is computed for the checksum again.
 */
export const firstInsertedFrom = (row: string): string => `${creditTermsOf(row)}, 'migrated', :run_id::bigint,
     credit_rollout.checksum_row(
       (select credit_rollout.checksum_shared(:card_hash, 'migrated', :run_id::bigint, 1, now())),
       ${row}.org_id, ${row}.edition, ${row}.paid, ${row}.unpaid_since, ${row}.floor_edition, ${row}.agents,
       ${row}.light_agents, ${row}.negotiated_limit, ${row}.additional_credits, ${row}.floor, ${row}.total_credits)`;

/** What `firstInsertedFrom` takes of the orgs that `rule`, a call, can decide, computed once per org. */
export const computedFrom = (rule: string): string =>
  `(select ${creditTermsOf('r')} from ${rule} r where r.reason is null offset 0)`;

/** The columns as UPDATE sets them from `row`: all but the org's id. */
export const creditUpdatesFrom = (row: string): string =>
  CREDIT_COLUMNS.filter((column) => column !== 'org_id')
    .map((column) => `${column} = ${row}.${column}`)
    .join(', ');

/** Ends an INSERT into `allotments as a`: where the org has an allotment, it is updated unless something would fall. */
export const UPDATE_UNLESS_FALLING = `
on conflict (org_id) do update
  set ${creditUpdatesFrom('excluded')}, run_id = excluded.run_id, computed_at = clock_timestamp()
  where excluded.total_credits >= a.total_credits and (a.floor is null or excluded.floor >= a.floor)`;

/** All that an UPDATE of ours may set: by column, since a right on the whole table is one to lock it against reads. */
export const UPDATED_COLUMNS = [
  ...CREDIT_COLUMNS.filter((column) => column !== 'org_id'),
  'run_id',
  'computed_at',
].join(', ');

/** The inputs of `row` as quarantine stores them. */
export const quarantinedInputs = (row: string): string =>
  `jsonb_build_object(
    'edition', ${row}.edition, 'paid', ${row}.paid, 'agents', ${row}.agents, 'light_agents', ${row}.light_agents,
    'additional_credits', ${row}.additional_credits, 'legacy_limit', ${row}.negotiated_limit)`;
