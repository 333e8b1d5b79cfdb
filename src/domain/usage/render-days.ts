// Thirty days of one org: columns as inline SVG, and a table with the same numbers. The picture is never the only
// source, and colour never the only difference.
import { formatCredits } from '../../kernel/format-credits.js';
import { html, type Markup, nothing } from '../../kernel/html.js';
import type { ApiDetails, DetailsDay } from './api-details.js';

const WIDTH = 330;
const HEIGHT = 120;
const TOP = 14;
const BOTTOM = 104;
const STEPS = 1000n;

/** `dates`: local dates, the newest last. */
export function renderDays({ days, total, model }: ApiDetails, dates: readonly string[]): Markup {
  if (days.length === 0) return html`<p>No call was counted yet.</p>`;
  const byDate = new Map(days.map((day) => [day.day, day]));
  const limit = model === 'credits' ? total : null;
  const highest = days.reduce((most, day) => bigger(most, creditsOf(day)), bigger(limit ?? 0n, 1n));
  const step = WIDTH / dates.length;
  const y = (value: bigint): number => BOTTOM - (Number((value * STEPS) / highest) / Number(STEPS)) * (BOTTOM - TOP);
  const columns = dates.map((date, index) => {
    const day = byDate.get(date);
    if (day === undefined) return nothing;
    const used = creditsOf(day);
    const top = used === 0n ? BOTTOM : Math.min(y(used), BOTTOM - 1);
    const x = round(index * step + 1);
    const fill = day.model === 'legacy' ? 'earlier' : 'used';
    const refused = day.refusedByCredits + day.refusedByConcurrency > 0n;
    return html`<rect class="fill-${fill}" x="${x}" y="${round(top)}" width="${round(step - 2)}" height="${round(BOTTOM - top)}"/>${
      refused ? html`<path class="fill-full" d="M${x} 2h${round(step - 2)}l-${round((step - 2) / 2)} 8z"/>` : nothing
    }`;
  });
  return html`<figure><svg class="days" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="days-title days-desc">
<title id="days-title">Credits used a day</title>
<desc id="days-desc">One column for each of 30 days; the table below has the same numbers.</desc>
<line class="line-base" x1="0" x2="${WIDTH}" y1="${BOTTOM}" y2="${BOTTOM}"/>
${columns}
${limit === null ? nothing : html`<line class="line-total" x1="0" x2="${WIDTH}" y1="${round(y(limit))}" y2="${round(y(limit))}"/>`}
<text x="0" y="${HEIGHT - 4}">${dates[0] ?? ''}</text><text x="${WIDTH}" y="${HEIGHT - 4}" text-anchor="end">${dates.at(-1) ?? ''}</text>
</svg></figure>
${renderLegend(days, limit)}${renderTable(days)}`;
}

/** Credits are counted under both models. */
const creditsOf = ({ credits, creditsGivenBack }: DetailsDay): bigint => bigger(credits - creditsGivenBack, 0n);
const bigger = (one: bigint, other: bigint): bigint => (one > other ? one : other);
/** Without the noise of doubles. */
const round = (value: number): number => Math.round(value * 10) / 10;

function renderLegend(days: readonly DetailsDay[], limit: bigint | null): Markup {
  const square = (fill: string, words: string): Markup =>
    html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="fill-${fill}" width="10" height="10"/></svg> ${words}</li>`;
  const refused = days.some((day) => day.refusedByCredits + day.refusedByConcurrency > 0n);
  return html`<ul class="legend">${square('used', 'credits used')}${
    days.some(({ model }) => model === 'legacy') ? square('earlier', 'while your plan counted calls') : nothing
  }${
    refused
      ? html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><path class="fill-full" d="M0 1h10l-5 8z"/></svg> calls refused</li>`
      : nothing
  }${limit === null ? nothing : html`<li>- - - your total today</li>`}</ul>
`;
}

const renderTable = (
  days: readonly DetailsDay[],
): Markup => html`<div class="wide" role="region" aria-label="Days with calls" tabindex="0"><table><caption>Days with calls</caption>
<thead><tr><th scope="col">Day</th><th scope="col" class="number">Calls</th><th scope="col" class="number">Credits</th><th scope="col" class="number">Refused</th></tr></thead>
<tbody>${days.map(
  (day) =>
    html`<tr><th scope="row">${day.day}</th><td class="number">${formatCredits(day.calls - day.callsGivenBack)}</td><td class="number">${formatCredits(creditsOf(day))}</td><td class="number">${formatCredits(day.refusedByCredits + day.refusedByConcurrency)}</td></tr>\n`,
)}</tbody>
</table></div>
`;
