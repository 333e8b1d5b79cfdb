// The API details page of an org: its numbers, and texts of others as text.
import { describe, expect, test } from 'vitest';
import { shareOfToday } from '../../../src/domain/usage/api-details.js';
import { renderApiDetails } from '../../../src/domain/usage/render-api-details.js';
import { sampleDay as day, sampleDetails as details } from './sample-details.js';

/** What a reader sees. */
const textOf = (page: string): string =>
  page
    .replace(/<style>[\s\S]*?<\/style>/u, '')
    .replaceAll(/<[^>]*>/gu, ' ')
    .replaceAll(/\s+/gu, ' ');

describe('shareOfToday', () => {
  test.each([
    [0n, 160_000n, 0],
    [159_999n, 160_000n, 99],
    [160_000n, 160_000n, 100],
    [170_000n, 160_000n, 100],
    [0n, 0n, 100],
    [2n ** 62n, 2n ** 63n - 1n, 50],
  ])('%s of %s is %s %%: 100 only when nothing is left', (credits, total, percent) => {
    expect(shareOfToday(details({ total, days: [day({ credits })] }))).toMatchObject({ percent });
  });

  test('counts calls where the day began with them, and what was not given back', () => {
    const legacy = day({ model: 'legacy', calls: 100n, callsGivenBack: 10n });
    expect(shareOfToday(details({ days: [legacy] }))).toMatchObject({ unit: 'legacy', used: 90n });
    expect(shareOfToday(details({ days: [day({ credits: 5n, creditsGivenBack: 2n })] })).used).toBe(3n);
    expect(shareOfToday(details({ days: [day({ day: '2026-11-29' })] }))).toMatchObject({ unit: 'credits', used: 0n });
  });
});

describe('renderApiDetails', () => {
  test('shows every term, today in percent, the reset in local time, and calls at once', () => {
    const text = textOf(renderApiDetails(details()));
    for (const part of [
      'Plan standard · org id 42',
      '61,200 of 160,000 credits used today',
      '38 % used, 98,800 left.',
      'Resets at 2026-12-01 00:00 Asia/Kolkata (2026-11-30 18:30 UTC)',
      'Base credits of your plan 50,000',
      'Variable credits for 300 agents 75,000',
      'never fall below 150,000 25,000',
      'Additional credits purchased 10,000',
      'Total 160,000',
      'At most 10 at once. Running now: 3. The most today: 7.',
      'list 400 60,000',
      '2026-11-30 900 61,200 0',
      'Is this not enough?',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('Calls refused today');
  });

  test('says which limit refused calls, and marks the day with more than a colour', () => {
    const page = renderApiDetails(details({ days: [day({ refusedByCredits: 12n, refusedByConcurrency: 1n })] }));
    expect(textOf(page)).toContain(
      'Calls refused today: 12 because too little was left, 1 because too many ran at once',
    );
    expect(page).toContain('calls refused</li>');
  });

  test('shows an org under the legacy model in calls, and one whose number is not known', () => {
    const none = { base: null, variable: null, grandfathered: null, floor: null, concurrencyLimit: null } as const;
    const legacy = details({ model: 'legacy', days: [day({ model: 'legacy' })], ...none });
    const text = textOf(renderApiDetails(legacy));
    expect(text).toContain('900 of 160,000 calls used today');
    expect(text).toContain('Each call counts one.');
    expect(text).toContain('No limit applies to you.');
    expect(textOf(renderApiDetails({ ...legacy, total: null, edition: null, days: [] }))).toContain(
      'Your number of today stays as it is.',
    );
  });

  test('shows a day on which the org was migrated or undone in the unit that it began with', () => {
    const pageOf = (changes: Parameters<typeof details>[0]): string => textOf(renderApiDetails(details(changes)));
    const calls = [day({ model: 'legacy' })];
    const none = { model: 'legacy', total: 5_000n, base: null } as const;
    expect(pageOf({ days: calls })).toMatch(/900 of 160,000 calls used today.*today counts calls, as it began/u);
    // only the meter knows the number that was
    expect(pageOf(none)).toMatch(/61,200 credits used today.*today counts credits, as it began.*5,000 calls a day/u);
    expect(pageOf({ ...none, totalToday: 160_000n })).toContain('61,200 of 160,000 credits used today 38 % used');
    expect(pageOf({ ...none, totalToday: 9_000n, days: calls })).toMatch(
      /900 of 9,000 calls used today.*keeps its larger number. From then on it is 5,000/u,
    );
    expect(pageOf({ totalToday: 160_000n })).not.toContain('Until then');
  });

  test('shows an exception with its answer, and asks for none while one is open', () => {
    const exception = { text: 'we import on Mondays', wanted: null, until: null, answer: null } as const;
    const open = textOf(renderApiDetails(details({ exception: { ...exception, state: 'open' } })));
    expect(open).toContain('it waits for an answer. we import on Mondays');
    expect(open).not.toContain('Tell us what you need');
    const declined = { ...exception, state: 'declined', answer: 'use search' } as const;
    expect(textOf(renderApiDetails(details({ exception: declined })))).toContain('The answer: use search');
  });

  test.each([
    ['/exceptions/new', true],
    ['https://help.example/ask?a="1"', true],
    ['javascript:alert(1)', false],
    ['//evil.example', false],
    ['http://help.example', false],
  ])('links to the form at %s: %s', (askAt, linked) => {
    const page = renderApiDetails(details(), { askAt });
    expect(page.includes('<a href=')).toBe(linked);
    expect(page).not.toContain('a="1"');
  });

  test('shows hostile texts as text, on one line, and has neither script nor anything to fetch', () => {
    const hostile = `first\n"><script>alert(1)</script>'<img src=x onerror=y>\u202e\n`;
    const page = renderApiDetails(
      details({
        orgId: hostile,
        edition: hostile,
        dataCenter: 'in',
        kinds: [{ kind: hostile, calls: 1n, credits: 1n }],
        exception: { text: hostile, wanted: null, until: null, state: 'declined', answer: hostile },
      }),
    );
    expect(page).not.toMatch(/<script|<img|<link|<iframe|<[^>]*\son\w+=|url\(|@import|\u202e/u);
    expect(page.match(/&lt;script&gt;/gu)?.length).toBeGreaterThanOrEqual(5);
    expect(page).toContain(`default-src 'none'`);
    // every tag that is opened is ours, and closed
    const tags = (pattern: RegExp): number => page.match(pattern)?.length ?? 0;
    for (const tag of ['section', 'table', 'svg', 'p', 'bdi', 'blockquote'])
      expect([tag, tags(new RegExp(`<${tag}[ >]`, 'gu'))]).toEqual([tag, tags(new RegExp(`</${tag}>`, 'gu'))]);
  });
});
