// Our pages in a real browser: axe-core finds nothing that keeps people out, light and dark, on a phone and in print,
// whatever their texts are.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderHtml } from '../../src/cli/report/render-html.js';
import { renderApiDetails } from '../../src/domain/usage/render-api-details.js';
import { samplePlan } from '../cli/report/sample-plan.js';
import { sampleDay, sampleDetails } from '../domain/usage/sample-details.js';
import { chromiumAvailable, type Screen, startChromium, type TestChromium } from '../support/chromium.js';

const SCREENS: readonly Screen[] = [
  { colorScheme: 'light', media: 'screen', width: 360 },
  { colorScheme: 'dark', media: 'screen', width: 360 },
  { colorScheme: 'light', media: 'screen', width: 1200 },
  { colorScheme: 'dark', media: 'print', width: 794 },
];
const MINUTE_MS = 60_000;

const LONG = 'an-endless-name-without-a-place-to-break-'.repeat(5);
const days = Array.from({ length: 30 }, (_, at) =>
  sampleDay({
    day: `2026-11-${String(30 - at).padStart(2, '0')}`,
    credits: BigInt(at * 5_000),
    refusedByCredits: at % 3 === 0 ? 12n : 0n,
  }),
);
const kinds = ['list', 'search', 'create', 'get'].map((kind, at) => ({
  kind,
  calls: BigInt(10 ** at),
  credits: BigInt(3 * 10 ** at),
}));
const declined = { text: LONG, wanted: 200_000n, until: null, state: 'declined', answer: LONG } as const;
const askAt = { askAt: '/exceptions/new' };
const PAGES = [
  ['a month of an org', renderApiDetails(sampleDetails({ days, kinds }), askAt)],
  [
    'an org on the legacy model, without a limit or a call',
    renderApiDetails(sampleDetails({ model: 'legacy', total: null, edition: null, days: [] }), askAt),
  ],
  [
    'an org with endless texts and a declined exception',
    renderApiDetails(sampleDetails({ orgId: LONG, edition: LONG, exception: declined }), askAt),
  ],
  ['the report of a plan', renderHtml([samplePlan()])],
] as const;

describe.skipIf(!chromiumAvailable())('a page in a browser', () => {
  let browser: TestChromium;
  beforeAll(async () => {
    browser = await startChromium();
  }, MINUTE_MS);
  afterAll(() => browser.close());

  test('is looked at: what cannot be read is found', async () => {
    const [looked] = await browser.look(
      '<p style="color:#eee;background:#fff;width:500px">no</p>',
      SCREENS.slice(0, 1),
    );
    expect(looked?.found.join()).toContain('serious: color-contrast');
    expect(looked?.scrollsSideways).toBe(true);
  });

  test.each(PAGES)('keeps nobody out: %s', { timeout: MINUTE_MS }, async (_, html) => {
    const looked = await browser.look(html, SCREENS);
    expect(looked.map(({ found, scrollsSideways }) => ({ found, scrollsSideways }))).toEqual(
      SCREENS.map(() => ({ found: [], scrollsSideways: false })),
    );
    for (const { passed } of looked) expect(passed).toContain('color-contrast');
  });
});
