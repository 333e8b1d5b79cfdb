// The hash of one org's inputs and outcome, the same over `decided`, `planned` and `allotments`. An SQL expression.

// A chain of Postgres's own hash functions: half the price of hash_record_extended, for the same columns. Only a negotiated
// limit may be null where an org is decided; of others the hash is null.
const HASHED = ['light_agents', 'agents', 'additional_credits', 'total_credits'] as const;

/** The columns that decide and what they decide: what a digest covers. Of `decided`, and alike of `allotments`. */
export const rowHash = (row: string): string =>
  HASHED.reduce(
    (seed, column) => `hashint8extended(${row}.${column}, ${seed})`,
    `hashint8extended(coalesce(${row}.negotiated_limit, -1), hashtextextended(${row}.org_id::text,
      hashtextextended(${row}.edition, ${row}.paid::int)))`,
  );
