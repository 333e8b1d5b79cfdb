// SQL that keeps texts of a cell from what leaves it: control gets counts and codes, and no name.

/** What a code looks like: one of ours, an SQLSTATE, of the network, a constraint. src/domain knows which there are. */
export const CODE_FORM = `'^[0-9A-Za-z_]{1,40}$'`;

/** What a plan counts: src/domain/plan/plan-report.ts; a test compares them. */
export const PLAN_COUNTS = [
  ...['orgs', 'first', 'raises', 'falls', 'unchanged', 'touched', 'legacyWins', 'paidFalling', 'unpaidFalling'],
  ...['traps', 'quarantined', 'before', 'after', 'planCredits', 'grandfathered', 'maxRaiseFactor', 'maxFloorOverPlan'],
  ...['protectedTouched', 'staleLeftOut'],
] as const;

/** SQL: of a document, the counts of a plan that are numbers, or texts of digits. */
export const knownCountsSql = (document: string): string =>
  `(select coalesce(jsonb_object_agg(n.name, n.value), '{}') from jsonb_each(${document}) n (name, value)
    where n.name = any ('{${PLAN_COUNTS.join(',')}}') and (jsonb_typeof(n.value) in ('number', 'null')
      or n.value #>> '{}' ~ '^[0-9]{1,40}$'))`;
