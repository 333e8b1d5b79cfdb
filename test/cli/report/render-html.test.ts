// report.html as a document: whole, escaped, offline, and the same for eyes, paper and screen readers.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderHtml } from '../../../src/cli/report/render-html.js';
import { html } from '../../../src/kernel/html.js';
import { manyBranches, sampleBranch, sampleOrg, sampleOutcome, samplePlan } from './sample-plan.js';

const VOID = new Set(['meta', 'link', 'br', 'hr', 'img', 'input']);

/** Every tag is closed by its own, in order; throws at the first that is not. Returns the names of all elements. */
function readElements(document: string): readonly string[] {
  const open: string[] = [];
  const seen: string[] = [];
  const text = document.replace(/^<!doctype html>/u, '').replace(/<style>[^<]*<\/style>/u, '<style></style>');
  const rest = text.replaceAll(
    /<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z:-]+="[^"<>]*")*)(\/?)>/gu,
    (_, end, name, __, alone) => {
      if (end === '/') {
        if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
      } else {
        seen.push(name);
        if (alone === '' && !VOID.has(name)) open.push(name);
      }
      return '';
    },
  );
  if (open.length > 0) throw new Error(`left open: ${open.join(' ')}`);
  if (/[<>]|&(?!(amp|lt|gt|quot|#39);)/u.test(rest))
    throw new Error(`not escaped: ${/.{0,40}([<>]|&(?!\w+;)).{0,40}/u.exec(rest)?.[0]}`);
  return seen;
}

const attributes = (document: string, name: string): readonly string[] =>
  [...document.matchAll(new RegExp(` ${name}="([^"]*)"`, 'gu'))].map(([, value = '']) => value);

describe('renderHtml', () => {
  const one = renderHtml([samplePlan()]);
  const several = renderHtml([samplePlan(), samplePlan({ dataCenter: 'eu', planId: 'eu-3', zone: 'Europe/Berlin' })]);

  test.each([
    ['one plan', one],
    ['several plans', several],
    [
      'an empty cell',
      renderHtml([
        samplePlan({
          branches: [],
          histogram: [],
          quarantined: [],
          rails: [],
          usage: null,
          orgs: { biggestRaises: [], nearestFloor: [], short: [] },
        }),
      ]),
    ],
  ])('is balanced for %s', (_, document) => expect(readElements(document).length).toBeGreaterThan(50));

  test('escapes what comes from the data', () => {
    const hostile = `<b>&"'</script>`;
    const document = renderHtml([
      samplePlan({
        source: hostile,
        author: hostile,
        zone: 'UTC',
        card: { name: hostile, hash: hostile },
        branches: [sampleBranch({ edition: '<b>&' })],
        quarantined: [{ reason: hostile, orgs: 1 }],
        orgs: { biggestRaises: [sampleOrg({ orgId: hostile, edition: '<b>&' })], nearestFloor: [], short: [] },
      }),
    ]);
    expect(readElements(document)).not.toContain('b');
    expect(document).toContain('&lt;b&gt;&amp;&quot;&#39;&lt;/script&gt;');
    expect(document).toContain('<th scope="row">&lt;b&gt;&amp;</th>');
  });

  test('needs no network and no script', () => {
    expect(readElements(one)).not.toEqual(expect.arrayContaining(['script']));
    expect(one).not.toMatch(/https?:|url\(|@import|<(script|link|img|iframe)/iu);
    expect(one).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  test('has styles for dark screens and for paper', () => {
    expect(one).toContain('@media screen and (prefers-color-scheme:dark)');
    expect(one).toContain('@media print');
  });

  test('gives every chart a title, a description, and every table a caption and header cells', () => {
    const elements = readElements(several);
    const count = (name: string): number => elements.filter((element) => element === name).length;
    expect(count('figure')).toBe(6);
    expect(several.match(/<svg [^>]*role="img" aria-labelledby="[^" ]+ [^" ]+">\n<title id=/gu)).toHaveLength(6);
    expect(count('desc')).toBe(6);
    expect(count('caption')).toBe(count('table'));
    expect(several).not.toMatch(/<tr><td/u);
  });

  test('uses every id once, and every reference leads to one', () => {
    const ids = attributes(several, 'id');
    expect(new Set(ids).size).toBe(ids.length);
    const wanted = [
      ...attributes(several, 'aria-labelledby').flatMap((value) => value.split(' ')),
      ...attributes(several, 'href').map((value) => value.slice(1)),
    ];
    expect(wanted.filter((id) => !ids.includes(id))).toEqual([]);
  });

  test('writes every status as a word', () => {
    expect(one).toContain('<span class="good">✔ PASS</span>');
    expect(one).toContain('<span class="bad">✖ FAIL</span>');
  });

  test('holds what the operator decides on', () => {
    for (const part of [
      '9c1e2d3f4a5b',
      '2026-12-01 01:00:03 UTC (06:30 Asia/Kolkata)',
      'org-raised',
      '6.2×',
      'org-near',
      'org-short',
      '161,000',
      '24,000 list calls',
      'null_agents',
      'under -50 %',
      '3 branches occur, of at most 48',
      '2–4 min',
    ])
      expect(one).toContain(part);
  });

  test('names paid orgs that come out lower and are left as they are, and only then', () => {
    const words = 'that pay would come out lower; an apply leaves them as they are';
    expect(one).not.toContain(words);
    const { branches, ...plan } = samplePlan();
    const lower = { ...plan, branches: [...branches, sampleBranch({ orgs: 7, falls: 7, falling: 7 })] };
    expect(renderHtml([lower])).toContain(`7 orgs ${words}`);
  });

  test('shows predicted against actual once a run followed the plan, and nothing of it before', () => {
    const followed = renderHtml([samplePlan()], sampleOutcome());
    expect(readElements(followed).length).toBeGreaterThan(readElements(one).length);
    const section = /<section aria-labelledby="plan-outcome">.*?<\/section>/su.exec(followed)?.[0] ?? '';
    const cells = [...section.matchAll(/<t[hd][^>]*>([^<]*)<\/t[hd]>/gu)].map(([, cell]) => cell);
    expect(cells).toEqual([
      ...['What', 'Predicted', 'Actual', 'Error'],
      ...['orgs written', '23', '21', '-8.6 %'],
      ...['their credits a day', '2,000,000', '1,900,000', '-5.0 %'],
      ...['duration', '2–4 min', '360 s', '+200.0 %'],
      ...['waited meanwhile', '–', '1 min', ''],
      ...['stale orgs left', '0', '2', ''],
      ...['undecidable orgs', '2', '3', ''],
      ...['paid orgs refused for their credits', '5', '4', ''],
    ]);
    expect(section).toContain('✔ Run 12 followed this plan. It is done.');
    expect(renderHtml([samplePlan()], sampleOutcome({ state: 'failed' }))).toContain('⚠ Run 12 followed this plan');
    expect(one).not.toContain('Predicted against actual');
  });

  test('begins with the verdict', () => {
    const body = one.slice(one.indexOf('<main>'));
    expect(body).toMatch(/^<main>\n<div class="verdict open">\n<p class="bad">✖ Outside 1 of 2 guard-rails/u);
    expect(body).toContain('✔ No paid org is lowered.');
    expect(several).toMatch(
      /<main>\n<div class="verdict open">\n<p class="bad">✖ Outside their guard-rails: in-7, eu-3\. /u,
    );
    const good = renderHtml([samplePlan({ rails: [] })], sampleOutcome());
    expect(good).toMatch(/<main>\n<div class="verdict">\n<p class="good">✔ Run 12 followed this plan: done/u);
  });

  test('has no column, row or number of nothing but zeros', () => {
    expect(one).not.toContain('<td data-title="Orgs" class="number">0</td>');
    expect(one).not.toContain('<strong>0</strong>');
    for (const [table] of several.matchAll(/<table.*?<\/table>/gsu)) {
      const rows = [...table.matchAll(/<tr><th scope="row".*?<\/tr>/gsu)].map(([row]) =>
        [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gsu)].map(([, cell = '']) => cell),
      );
      for (const at of rows[0]?.keys() ?? [])
        expect(
          rows.every((row) => ['0', '–', ''].includes(row[at] ?? '')),
          table,
        ).toBe(false);
    }
    const unused = renderHtml([samplePlan({ usage: [{ edition: 'standard', paid: 15, short: 0 }] })]);
    expect(unused).toContain('✔ No paid org had a busiest day');
  });

  test('has what a phone shows in the place of what is too wide for it', () => {
    expect(one).toContain('@media screen and (max-width:40rem)');
    for (const [table] of one.matchAll(/<table class="list">.*?<\/table>/gsu))
      expect(table).not.toMatch(/<td(?! data-title="[^"]+")/u);
    expect(one).toContain(
      '<p class="instead">Credits a day, today and after the change: Today 1,000,000; after 1,041,000',
    );
    // a sentence that does not break is as wide as it is long
    expect(one).not.toMatch(/\n\.(?:good|bad)\{[^}]*nowrap/u);
  });

  test('names no org beside another data center', () => expect(several).not.toMatch(/org-(raised|near|short)/u));

  test('stays below 2 MB with 300 branches and long names', () => {
    const org = sampleOrg({ orgId: 'x'.repeat(10_000), edition: 'e'.repeat(200) });
    const orgs = Array.from({ length: 20 }, () => org);
    const plan = samplePlan({
      branches: manyBranches(300),
      orgs: {
        biggestRaises: orgs,
        nearestFloor: orgs,
        short: orgs.map((one) => ({ ...one, peak: '1', proposedFloor: '1000' })),
      },
    });
    expect(Buffer.byteLength(renderHtml([plan]))).toBeLessThan(300_000);
    expect(Buffer.byteLength(renderHtml(Array.from({ length: 12 }, () => plan)))).toBeLessThan(2_000_000);
  });

  test('draws no bar beyond its chart, whatever the sums', () => {
    const sum = fc.bigInt({ min: 0n, max: 10n ** 30n }).map(String);
    fc.assert(
      fc.property(fc.array(fc.tuple(sum, sum, sum), { minLength: 1, maxLength: 5 }), (sums) => {
        const branches = sums.map(([before, planCredits, grandfathered], n) =>
          sampleBranch({
            edition: `e${n}`,
            before,
            planCredits,
            grandfathered,
            after: String(BigInt(planCredits) + BigInt(grandfathered)),
          }),
        );
        const document = renderHtml([samplePlan({ branches })]);
        for (const [, x, width] of document.matchAll(/<rect class="[\w-]+" x="([^"]+)" y="[^"]+" width="([^"]+)"/gu)) {
          expect(Number(x)).toBeGreaterThanOrEqual(170);
          expect(Number(x) + Number(width)).toBeLessThanOrEqual(170 + 380 + 2);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('a value in html', () => {
  test('leaves nothing that could begin a tag, end an attribute or turn the text around', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const escaped = html`${text}`.markup;
        expect(escaped).not.toMatch(/[<>"'\u202e]|&(?!(amp|lt|gt|quot|#39);)/u);
        expect(escaped).not.toContain('\0');
      }),
    );
  });
});

describe('html', () => {
  test('escapes texts, keeps markup', () =>
    expect(html`<p>${'<'}${html`<i>${1}</i>`}${[html`a`, html`b`]}</p>`.markup).toBe('<p>&lt;<i>1</i>ab</p>'));
});
