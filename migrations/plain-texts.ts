// SQL that keeps texts of a cell from what leaves it: control gets counts and codes, and no name.

/** A code of ours, an SQLSTATE, or a code of the network: no number. */
export const CODE_FORM = `'^([a-z_]{1,40}|[0-9A-Z]{5}|E[A-Z_]{4,20})$'`;

/** What a plan counts: src/domain/plan/plan-report.ts. */
const COUNTS = [
  ...['orgs', 'first', 'raises', 'falls', 'unchanged', 'touched', 'legacyWins', 'paidFalling', 'unpaidFalling'],
  ...['traps', 'quarantined', 'before', 'after', 'planCredits', 'grandfathered', 'maxRaiseFactor', 'maxFloorOverPlan'],
  ...['protectedTouched', 'staleLeftOut'],
] as const;

/** SQL: of a document, the counts of a plan that are numbers, or texts of digits. */
export const knownCountsSql = (document: string): string =>
  `(select coalesce(jsonb_object_agg(n.name, n.value), '{}') from jsonb_each(${document}) n (name, value)
    where n.name = any ('{${COUNTS.join(',')}}') and (jsonb_typeof(n.value) in ('number', 'null')
      or n.value #>> '{}' ~ '^[0-9]{1,40}$'))`;
