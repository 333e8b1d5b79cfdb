// A believable mix of orgs as one SELECT, computed by hashing: the same seed gives the same orgs everywhere and always.
// Invented, for samples and benchmarks only; never touches a relation.

/** Where an org lives in the mix: its size is log-normal, `median` full agents and `sigma` on the logarithm. */
const EDITIONS = [
  { edition: 'free', share: 0.4, median: 2, sigma: 0.7 },
  { edition: 'express', share: 0.14, median: 14, sigma: 1.2 },
  { edition: 'standard', share: 0.17, median: 24, sigma: 1.3 },
  { edition: 'professional', share: 0.14, median: 45, sigma: 1.3 },
  { edition: 'enterprise', share: 0.06, median: 110, sigma: 1.4 },
  { edition: 'zoho_one', share: 0.04, median: 70, sigma: 1.4 },
  { edition: 'crm_plus', share: 0.03, median: 60, sigma: 1.4 },
  { edition: 'service_plus', share: 0.02, median: 80, sigma: 1.4 },
] as const;

const FIRST_WORDS =
  'Amber Basil Cedar Delta Elm Fjord Garnet Harbour Indigo Juniper Kestrel Lotus Maple Nimbus Onyx Poppy';
const LAST_WORDS =
  'Traders Logistics Health Motors Foods Textiles Energy Studios Finance Schools Travel Media Foundry Labs';

const words = (text: string): string => `array['${text.split(' ').join("', '")}']`;
const pick = (text: string, hash: string): string =>
  `(${words(text)})[1 + (${hash} & 1023) % ${text.split(' ').length}]`;

/** Uniform in [0, 1): draw number `k` of the org. */
const uniform = (k: number): string =>
  `(hashint8extended(n, $4::bigint * 100 + ${k}) & 1073741823)::float8 / 1073741824`;
// four uniforms from one hash: their sum is nearly normal, and needs no logarithm or cosine
const NORMAL = `(((h & 32767) + ((h >> 16) & 32767) + ((h >> 32) & 32767) + ((h >> 48) & 32767))::float8 / 32768 - 2) * 1.7320508`;

const upTo = (index: number): string =>
  EDITIONS.slice(0, index + 1)
    .reduce((sum, { share }) => sum + share, 0)
    .toFixed(4);
const byEdition = (column: 'median' | 'sigma'): string =>
  `case edition ${EDITIONS.map((one) => `when '${one.edition}' then ${one[column]}`).join(' ')} end`;
const EDITION = `case ${EDITIONS.map(({ edition }, index) => `when u_edition < ${upTo(index)} then '${edition}'`).join(' ')}
  else '${EDITIONS[0].edition}' end`;

/** What a table of orgs looks like in the samples: the source contract, a name, and nothing else. */
export const SAMPLE_COLUMNS = `org_id bigint primary key, name text, edition text, paid boolean, agents integer,
  light_agents integer, additional_credits bigint, legacy_limit bigint, created_at timestamptz not null,
  updated_at timestamptz`;

const DRAWS = `select n, ${uniform(1)} as u_edition, ${uniform(2)} as u_state, ${uniform(3)} as u_light,
  ${uniform(4)} as u_bought, ${uniform(5)} as u_negotiated, ${uniform(6)} as u_age,
  hashint8extended(n, $4::bigint * 100 + 7) as h
from generate_series($1::bigint, $2::bigint) n`;

const SIZED = `select *, case when edition = 'free' then 'free' when u_state < 0.83 then 'paid' when u_state < 0.93 then 'trial'
    else 'lapsed' end as state,
  greatest(1, round(exp(ln(${byEdition('median')}) + ${byEdition('sigma')} * ${NORMAL})))::int as size
from (select *, ${EDITION} as edition from (${DRAWS} offset 0) draws offset 0) drawn`;

// a trial is small and new; a lapsed org is old; the newest sign-ups are the most frequent
const LIVED = `select *, case when state = 'trial' then greatest(1, size / 3) else size end as agents,
  timestamptz '2025-10-05 00:00:00+00' - interval '1 second' * floor(case state
    when 'trial' then u_age * 30 * 86400
    when 'lapsed' then (400 + u_age * 2000) * 86400
    else (1 + u_age * u_age * 3200) * 86400 end) as created_at
from (${SIZED} offset 0) sized`;

/**
 * SQL that yields orgs in the order of SAMPLE_COLUMNS. Parameters: first and last number of the org (bigint), what is
 * added to the number for its id (bigint), the seed (bigint), and every how many orgs one is undecidable (bigint):
 * unknown edition, null agents, negative agents and null paid in turn.
 */
export const ORG_MIX = `
select $3::bigint + n as org_id,
  ${pick(FIRST_WORDS, '(h >> 7)')} || ' ' || ${pick(LAST_WORDS, '(h >> 21)')} || ' ' || n as name,
  case when flaw = 0 then 'starter_2019' else edition end as edition,
  case when flaw = 3 then null else state = 'paid' end as paid,
  case flaw when 1 then null when 2 then -agents else agents end as agents,
  case when u_light < case when edition in ('free', 'express', 'standard') then 0.08 else 0.3 end
    then ceil(agents * (0.05 + u_light * 2.5))::int else 0 end as light_agents,
  case when state = 'paid' and u_bought < 0.07 then 5000 * (1 + floor(u_bought * 300))::bigint
    when u_bought < 0.01 then 1000 * (1 + floor(u_bought * 500))::bigint else 0 end as additional_credits,
  -- some deals lie below the formula, most above; a few outlived the subscription
  case when state = 'paid' and agents >= 40 and u_negotiated < 0.06
      then 1000 * ceil(agents * (0.3 + u_negotiated * 50))::bigint
    when state = 'lapsed' and u_negotiated < 0.04 then 20000 end as legacy_limit,
  created_at,
  created_at + (timestamptz '2025-10-05 00:00:00+00' - created_at) * u_light as updated_at
from (
  select *, case when n % $5::bigint = $5::bigint / 2 then (n / $5::bigint) % 4 end as flaw
  from (${LIVED} offset 0) lived
) orgs
order by n`;
