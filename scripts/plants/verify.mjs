// Bugs in what is compared: the verification, digests, what changed since a plan, and the search of a night.
const EVERY = 'test/stores/cell/batch/every-column.test.ts';
const SINCE = 'test/engine/plan/changed-since-plan.test.ts';
const RECORDED = 'test/stores/cell/batch/rewritten-rows.test.ts';
const SUMS = 'test/stores/cell/batch/checksums.test.ts';

const VERIFICATION = 'src/stores/cell/batch/verification.ts';
const INPUTS = 'src/stores/cell/batch/source-differences.ts';
const RECORD = 'src/stores/cell/batch/recorded-allotments.ts';
const HASHES = 'src/stores/cell/hashes.ts';
const WRITES = 'src/stores/cell/batch/planned-writes.ts';
const DRIFT = 'src/stores/cell/reconcile/drift.ts';
const CHECKSUM = 'migrations/cell/shorter-checksums.ts';

/** A condition of the rule that a row always fulfils. */
const rule = (column, find, put = 'true') => ({
  name: `verify: ${column} is compared with itself`,
  file: VERIFICATION,
  find,
  put,
  tests: [EVERY],
});

/** One column is left out of a list that is compared or hashed. */
const without = (what, file, tests, columns) =>
  Object.entries(columns).map(([column, [find, put]]) => ({
    name: `${what}: leaves out ${column}`,
    file,
    find,
    put,
    tests,
  }));

const DECIDES = ['agents', 'edition', 'paid', 'additional_credits', 'negotiated_limit'];

export const VERIFY = [
  rule('base_credits', 't.base_credits = t.base and', 'true and'),
  rule('variable_credits', 't.variable_credits = t.variable and', 'true and'),
  rule('concurrency_limit', 't.concurrency_limit = t.concurrency\n', 'true\n'),
  rule('legacy_limit', 't.stored_limit = t.formula_limit', 't.stored_limit = t.stored_limit'),
  rule(
    'grandfathered_credits',
    't.grandfathered_credits = t.top_up',
    't.grandfathered_credits = t.grandfathered_credits',
  ),
  rule(
    'total_credits',
    't.total_credits = t.plan + t.top_up + t.additional_credits',
    't.total_credits = t.total_credits',
  ),
  rule('winner', `t.winner = case t.top_up when 0 then 'credits' else 'legacy' end`, 't.winner = t.winner'),
  rule('unpaid_since', '(t.unpaid_since is null) = t.paid', 'true'),
  rule('floor', 'or t.floor is not null)', 'or true)'),
  ...without('verify', INPUTS, [EVERY], {
    ...Object.fromEntries(
      DECIDES.map((column) => [
        column,
        [
          `(a.agents, a.edition, a.paid, a.additional_credits, a.negotiated_limit)
    is distinct from (s.agents, s.edition, s.paid, s.additional_credits, s.negotiated_limit)`,
          `(${DECIDES.filter((one) => one !== column).map((one) => `a.${one}`)})
        is distinct from (${DECIDES.filter((one) => one !== column).map((one) => `s.${one}`)})`,
        ],
      ]),
    ),
    light_agents: ['or a.light_agents is distinct from s.light_agents and not', 'or false and not'],
  }),
  ...without('a digest', HASHES, [EVERY], {
    light_agents: [`['light_agents', 'agents',`, `['agents',`],
    agents: [`'light_agents', 'agents',`, `'light_agents',`],
    additional_credits: [`'additional_credits', 'total_credits'`, `'total_credits'`],
    total_credits: [`, 'total_credits'] as const`, '] as const'],
    negotiated_limit: ['coalesce(${row}.negotiated_limit, -1)', '-1'],
    org_id: ['hashtextextended(${row}.org_id::text,', `hashtextextended('',`],
    edition: ['hashtextextended(${row}.edition,', `hashtextextended('',`],
    paid: ['${row}.paid::int', '0'],
  }),
  // the sum follows from these, or they from it: one of both is enough
  ...without('a stale org', WRITES, [SINCE], {
    edition: [
      '(${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents,',
      '(${row}.paid, ${row}.agents, ${row}.light_agents,',
    ],
    paid: ['(${row}.edition, ${row}.paid, ${row}.agents,', '(${row}.edition, ${row}.agents,'],
    agents: [
      '${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.additional_credits,',
      '${row}.paid, ${row}.light_agents, ${row}.additional_credits,',
    ],
    light_agents: [
      '${row}.agents, ${row}.light_agents, ${row}.additional_credits,',
      '${row}.agents, ${row}.additional_credits,',
    ],
    negotiated_limit: ['${row}.negotiated_limit, ${row}.total_credits)`', '${row}.total_credits)`'],
    'additional_credits and total_credits': [
      '${row}.light_agents, ${row}.additional_credits,\n   ${row}.negotiated_limit, ${row}.total_credits)`',
      '${row}.light_agents, ${row}.negotiated_limit)`',
    ],
  }),
  ...without('a night', DRIFT, [EVERY], {
    agents: ['(a.agents, a.edition, a.paid, a.light_agents,', '(s.agents, a.edition, a.paid, a.light_agents,'],
    edition: ['(a.agents, a.edition, a.paid, a.light_agents,', '(a.agents, s.edition, a.paid, a.light_agents,'],
    paid: ['(a.agents, a.edition, a.paid, a.light_agents,', '(a.agents, a.edition, s.paid, a.light_agents,'],
    light_agents: ['(a.agents, a.edition, a.paid, a.light_agents,', '(a.agents, a.edition, a.paid, s.light_agents,'],
    additional_credits: [
      'a.additional_credits, a.negotiated_limit) is distinct',
      's.additional_credits, a.negotiated_limit) is distinct',
    ],
    negotiated_limit: [
      'a.additional_credits, a.negotiated_limit) is distinct',
      'a.additional_credits, s.negotiated_limit) is distinct',
    ],
  }),
  ...without('a row that is other than its plan', RECORD, [RECORDED], {
    edition: [`  'edition',\n  'paid',`, `  'paid',`],
    paid: [`  'edition',\n  'paid',`, `  'edition',`],
    agents: [`  'agents',\n  'light_agents',`, `  'light_agents',`],
    light_agents: [`  'agents',\n  'light_agents',`, `  'agents',`],
    negotiated_limit: [`  'negotiated_limit',\n  'total_credits',`, `  'total_credits',`],
  }),
  ...without('a row that is other than its record', RECORD, [RECORDED], {
    version: [`a.version <> case n.operation when 'update' then n.version + 1 else 1 end`, 'false'],
    rate_card: ["then a.rate_card <> ${RUNS('(array_agg(r.card_hash order by r.run_id desc))[1]')}", 'then false'],
    floor: [
      'and (a.floor, a.floor_edition) is distinct from (',
      'and (null::bigint, a.floor_edition) is distinct from (',
    ],
    floor_edition: [
      'and (a.floor, a.floor_edition) is distinct from (',
      'and (a.floor, null::text) is distinct from (',
    ],
    checksum: ['or not (${INTACT})', 'or false'],
  }),
  ...without('a checksum', CHECKSUM, [SUMS], {
    total_credits: [
      'select hashint8extended(total_credits, hashint8extended(coalesce(floor, -1)',
      'select hashint8extended(0, hashint8extended(coalesce(floor, -1)',
    ],
    floor: ['hashint8extended(coalesce(floor, -1)', 'hashint8extended(-1'],
    additional_credits: ['hashint8extended(additional_credits,\n', 'hashint8extended(0,\n'],
    negotiated_limit: ['hashint8extended(coalesce(negotiated_limit, -1)', 'hashint8extended(-1'],
    light_agents: ['hashint8extended(light_agents,', 'hashint8extended(0,'],
    agents: ['hashint8extended(agents,\n', 'hashint8extended(0,\n'],
    floor_edition: [`hashtextextended(coalesce(floor_edition, '')`, `hashtextextended(''`],
    edition: ['hashtextextended(edition,', `hashtextextended('',`],
    org_id: [`'hashint8extended(org_id' :`, `'hashint8extended(0' :`],
    paid: ['bigint * 2 + paid::integer end', 'bigint * 2 end'],
    unpaid_since: [`coalesce(unpaid_since - '2000-01-01'::date, -1)::bigint`, '0'],
    rate_card: ['hashtextextended(rate_card,', `hashtextextended('',`],
    origin: ['hashtextextended(origin,', `hashtextextended('',`],
    run_id: ['hashint8extended(coalesce(run_id, -1)', 'hashint8extended(-1'],
    version: ['hashint8extended(version,', 'hashint8extended(0,'],
    computed_at: [`timestamp_hash_extended(computed_at at time zone 'UTC', 1)`, '1'],
  }),
];
