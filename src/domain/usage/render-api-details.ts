// The API details page of one org: what it has, what it used, when that resets, and what to do where it is not enough.
// One HTML document without script that fetches nothing; every text of somebody else is escaped.
import { formatCredits } from '../../kernel/format-credits.js';
import { html, type Markup, nothing } from '../../kernel/html.js';
import { addLocalDays } from '../time/local-date.js';
import { formatLocalMs, toLocalMs } from '../time/local-time.js';
import { type ApiDetails, type DetailsDay, shareOfToday } from './api-details.js';
import { API_DETAILS_POLICY, API_DETAILS_STYLE } from './api-details-style.js';
import { CALL_COSTS, type CallCost } from './call-costs.js';
import { renderDays } from './render-days.js';

export interface PageOptions {
  /** Where the product's form for exceptions is; a path, or https. Left out: the page has no link. */
  readonly askAt?: string;
  /** Left out: those of the product's reference. */
  readonly prices?: readonly CallCost[];
}

const DAYS = 30;

export function renderApiDetails(details: ApiDetails, { askAt, prices = CALL_COSTS }: PageOptions = {}): string {
  const { orgId, edition, paid, at, dataCenter } = details;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${{ markup: API_DETAILS_POLICY }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>API details of ${orgId}</title>
<style>${{ markup: API_DETAILS_STYLE }}</style>
</head>
<body>
<header>
<h1>API details</h1>
<p class="quiet">Plan <bdi>${edition ?? 'unknown'}</bdi>${paid === false ? ', not paid' : ''} · org id <bdi>${orgId}</bdi></p>
</header>
<main>
${renderToday(details)}${renderTerms(details)}${renderConcurrency(details)}${renderKinds(details)}<section aria-labelledby="days">
<h2 id="days">The last 30 days</h2>
${renderDays(details, listDates(details.today))}</section>
${renderPrices(prices)}${renderAsk(details, askAt)}</main>
<footer><p>As of ${showUtc(at)}, data center ${dataCenter}. Calls are counted within seconds.</p></footer>
</body>
</html>
`.markup;
}

/** The newest last. */
const listDates = (today: string): readonly string[] =>
  Array.from({ length: DAYS }, (_, index) => addLocalDays(today, index - DAYS + 1));

const count = (value: bigint): string => formatCredits(value);

/** `2026-11-30 18:30 UTC`. */
const showUtc = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

function renderToday(details: ApiDetails): Markup {
  const { zone, resetsAt, days, today } = details;
  const { unit, used, total, left, percent } = shareOfToday(details);
  const word = unit === 'credits' ? 'credits' : 'calls';
  const day = days.find((one) => one.day === today);
  const head =
    total === null || percent === null
      ? html`<p class="big">${count(used)} ${word} used today</p>`
      : html`<p class="big">${count(used)} of ${count(total)} ${word} used today</p>
<svg viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label="${percent} percent used"><rect class="fill-track" width="100" height="4"/><rect class="${left === 0n ? 'fill-full' : 'fill-used'}" width="${percent}" height="4"/></svg>
<p>${percent} % used, ${count(left ?? 0n)} left.</p>`;
  return html`<section class="panel" aria-label="Today">
${head}
<p>Resets at ${showLocalTime(resetsAt, zone)} ${zone}<span class="quiet"> (${showUtc(resetsAt)})</span>.</p>
${renderRefusals(day)}${renderChange(details)}</section>
`;
}

/** Of a day on which the org was migrated or taken back. */
function renderChange(details: ApiDetails): Markup {
  const { unit, total } = shareOfToday(details);
  if (unit === 'legacy' && details.model === 'credits')
    return html`<p>Until then today counts calls, as it began. From then on your plan counts credits.</p>`;
  if (unit === 'credits' && details.model === 'legacy')
    return html`<p>Until then today counts credits, as it began. From then on each call counts one.</p>`;
  if (total === null || details.total === null || total <= details.total) return nothing;
  return html`<p>Until then today keeps its larger number. From then on it is ${count(details.total)}.</p>`;
}

function renderRefusals(day: DetailsDay | undefined): Markup {
  const byCredits = day?.refusedByCredits ?? 0n;
  const byConcurrency = day?.refusedByConcurrency ?? 0n;
  if (byCredits + byConcurrency === 0n) return nothing;
  const why = [
    ...(byCredits > 0n ? [`${count(byCredits)} because too little was left`] : []),
    ...(byConcurrency > 0n ? [`${count(byConcurrency)} because too many ran at once`] : []),
  ];
  return html`<p><span class="bad">Calls refused today:</span> ${why.join(', ')}. A refused call costs nothing.</p>`;
}

/** The wall clock of the zone, `2026-12-01 00:00`. */
const showLocalTime = (at: Date, zone: string): string =>
  formatLocalMs(toLocalMs(at, zone)).slice(0, 16).replace('T', ' ');

function renderTerms(details: ApiDetails): Markup {
  const { base, variable, grandfathered, floor, additional, total, agents, model } = details;
  if (model === 'legacy' || base === null)
    return html`<section aria-labelledby="have">
<h2 id="have">What you have</h2>
<p>${total === null ? 'Your number of today stays as it is.' : html`${count(total)} calls a day. Each call counts one.`}</p>
</section>
`;
  const rows = [
    { name: 'Base credits', value: base, why: 'of your plan' },
    {
      name: 'Variable credits',
      value: variable ?? 0n,
      why: agents === null ? 'by agents' : `for ${showAgents(agents)}`,
    },
    ...(grandfathered === null || grandfathered === 0n
      ? []
      : [
          {
            name: 'Grandfathered credits',
            value: grandfathered,
            why: `your earlier API limit was higher: base, variable and these never fall below ${count(floor ?? 0n)}`,
          },
        ]),
    { name: 'Additional credits', value: additional ?? 0n, why: 'purchased' },
  ];
  return html`<section aria-labelledby="have">
<h2 id="have">What you have</h2>
<div class="wide" role="region" aria-label="Credits a day" tabindex="0"><table><caption>Credits a day</caption>
<thead><tr><th scope="col">Part</th><th scope="col" class="number">Credits</th></tr></thead>
<tbody>${rows.map(
    ({ name, value, why }) =>
      html`<tr><th scope="row">${name}<small>${why}</small></th><td class="number">${count(value)}</td></tr>\n`,
  )}<tr class="sum"><th scope="row">Total</th><td class="number">${total === null ? 'not known' : count(total)}</td></tr></tbody>
</table></div>
</section>
`;
}

const showAgents = (agents: bigint): string => `${count(agents)} ${agents === 1n ? 'agent' : 'agents'}`;

function renderConcurrency({ concurrencyLimit, inFlight, days, today }: ApiDetails): Markup {
  const most = days.find((one) => one.day === today)?.peakInFlight ?? 0n;
  const limit = concurrencyLimit === null ? 'No limit applies to you.' : `At most ${concurrencyLimit} at once.`;
  return html`<section aria-labelledby="at-once">
<h2 id="at-once">Calls at once</h2>
<p>${limit}${inFlight === null ? '' : ` Running now: ${inFlight}.`} The most today: ${count(most)}.</p>
</section>
`;
}

function renderKinds({ kinds }: ApiDetails): Markup {
  if (kinds.length === 0) return nothing;
  const all = kinds.reduce((sum, { credits }) => sum + credits, 0n);
  const share = (credits: bigint): number => (all === 0n ? 0 : Number((credits * 1000n) / all) / 10);
  return html`<section aria-labelledby="kinds">
<h2 id="kinds">Where today's credits went</h2>
<div class="wide" role="region" aria-label="Credits by kind of call" tabindex="0"><table><caption>By kind of call</caption>
<thead><tr><th scope="col">Call</th><th scope="col" class="number">Calls</th><th scope="col" class="number">Credits</th><td></td></tr></thead>
<tbody>${kinds.map(
    ({ kind, calls, credits }) =>
      html`<tr><th scope="row">${kind}</th><td class="number">${count(calls)}</td><td class="number">${count(credits)}</td><td class="bar"><svg class="share" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="fill-used" width="${share(credits)}" height="6"/></svg></td></tr>\n`,
  )}</tbody>
</table></div>
</section>
`;
}

const renderPrices = (prices: readonly CallCost[]): Markup => html`<section aria-labelledby="prices">
<h2 id="prices">What a call costs</h2>
<table><caption>Credits for each call</caption>
<thead><tr><th scope="col">Call</th><th scope="col" class="number">Credits</th></tr></thead>
<tbody>${prices.map(
  ({ call, credits }) => html`<tr><th scope="row">${call}</th><td class="number">${credits}</td></tr>\n`,
)}</tbody>
</table>
</section>
`;

/** The lines of a text, each a paragraph. */
const paragraphs = (text: string): readonly Markup[] =>
  text.split(/[\r\n]+/u).flatMap((line) => (line.trim() === '' ? [] : [html`<p>${line}</p>`]));

const ANSWERS = {
  open: 'You asked for more, and it waits for an answer.',
  granted: 'You asked for more, and it was granted.',
  declined: 'You asked for more, and it was declined.',
  withdrawn: 'You asked for more, and took it back.',
} as const;

function renderAsk({ exception }: ApiDetails, askAt: string | undefined): Markup {
  // a link may lead to no code
  const link = askAt !== undefined && /^(https:\/\/|\/(?!\/))/u.test(askAt) ? askAt : undefined;
  const asks = exception?.state !== 'open';
  return html`<section aria-labelledby="ask">
<h2 id="ask">Is this not enough?</h2>
${
  exception === null
    ? nothing
    : html`<p>${ANSWERS[exception.state]}</p><blockquote>${paragraphs(exception.text)}</blockquote>${
        exception.answer === null
          ? nothing
          : html`<p>The answer:</p><blockquote>${paragraphs(exception.answer)}</blockquote>`
      }`
}${
  asks
    ? html`<p>Tell us what you need, and until when. Lists cost more the further they go, and counts cost most: fewer of them may be enough.</p>${
        link === undefined ? nothing : html`<p><a href="${link}">Ask for more credits</a></p>`
      }`
    : nothing
}</section>
`;
}
