// A plan on screen and as a document.
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { renderHtml } from '../../../src/cli/report/render-html.js';
import { createPaint } from '../../../src/cli/terminal/paint.js';
import { toJson } from '../../../src/cli/terminal/to-json.js';
import { showBar, showFactor } from '../../../src/cli/views/plan-words.js';
import { countsDocument, planDocument, showPlan } from '../../../src/cli/views/show-plan.js';
import { countBranches, groupEditions } from '../../../src/domain/plan/group-editions.js';
import { manyBranches, sampleBranch, samplePlan } from '../report/sample-plan.js';

describe('showPlan', () => {
  const text = showPlan(samplePlan(), 1_000);

  test('names what it was made from: snapshot in both clocks, card, digest', () => {
    expect(text).toContain('Plan in-7 for in (Asia/Kolkata): 27 orgs of public.orgs');
    expect(text).toContain(
      'Snapshot 2026-12-01 01:00:03 UTC (06:30 Asia/Kolkata), rate card desk-2025-10 (5d0c11aa22bb33cc), digest 9c1e2d3f4a5b\n',
    );
  });

  test('counts every org under one symbol, with what it costs', () => {
    expect(text).toMatch(/↑ +10 orgs {2}pay, and credits reach their number +\+100,000 credits a day\n/u);
    expect(text).toMatch(/= +5 orgs .* 0 credits a day; top-ups of 120,000 over the rate card\n/u);
    expect(text).toMatch(/· +10 orgs .* -59,000 credits a day\n/u);
    expect(text).toMatch(/! +2 orgs .* 1 null_agents, 1 unknown_edition\n/u);
  });

  test('counts the orgs whose ids are too long, where there are any', () => {
    expect(text).not.toContain('left out');
    expect(showPlan(samplePlan({ leftOut: 3 }), 1_000)).toMatch(
      /! +3 orgs {2}are left out, for ids of over 2,000 bytes; they keep what they have +in no other count\n/u,
    );
    expect(renderHtml([samplePlan({ leftOut: 3, quarantined: [] })])).toContain(
      '⚠ 3 orgs are left out, for ids of over 2,000 bytes',
    );
  });

  test('counts the paid orgs that a newer card would lower, and explains that an apply leaves them as they are', () => {
    expect(text).toMatch(/↓ +4 orgs {2}of these get less than today +0 that pay, 4 that do not\n/u);
    const { branches, ...plan } = samplePlan();
    const lower = { ...plan, branches: [...branches, sampleBranch({ orgs: 7, falls: 7, falling: 7 })] };
    expect(showPlan(lower, 1_000)).toMatch(
      /↓ +11 orgs {2}of these get less than today +7 that pay, which an apply leaves as they are, 4 that do not\n/u,
    );
  });

  test('gives every guard-rail with value, limit and a word', () => {
    expect(text).toMatch(/largest raise of an org +6\.2× +10× {2}✔ PASS\n/u);
    expect(text).toMatch(/orgs that are written +23 +20 {2}✖ FAIL\n/u);
  });

  test('gives traps, branches, usage and the duration as a range', () => {
    expect(text).toContain('Traps: 2 orgs;');
    expect(text).toContain('Branches (kinds of decisions): 3 present, at most 48');
    expect(text).toContain('1 of 15 paid orgs had a busiest day above their new total');
    expect(text).toContain('2–4 min, measured on earlier batches');
  });

  test.each([
    [{ orgs: 6_000, basis: 'batches', perOrgUs: 25 }, '6,000 orgs each, by what an org took in earlier batches'],
    [
      { orgs: 4_500, basis: 'planning', perOrgUs: 33.3 },
      '4,500 orgs each, by the speed at which this plan was made: 33.3 µs an',
    ],
    [{ orgs: 2_000, basis: 'planning', perOrgUs: null }, '2,000 orgs each: there were too few to measure'],
    [{ orgs: 100, basis: 'configured', perOrgUs: null }, '100 orgs each, as configured'],
  ] as const)('says how many orgs a batch has, and why: %j', (batchSize, says) => {
    expect(showPlan(samplePlan({ batchSize }), 1_000)).toContain(`  Batches: ${says}`);
    expect(showPlan(samplePlan({ batchSize: null }), 1_000)).not.toContain('Batches:');
  });

  test('names no org', () => expect(text).not.toMatch(/org-(raised|near|short)/u));

  test('calls a plan that was not stored a what-if', () =>
    expect(showPlan(samplePlan({ planId: null, digest: null }), 1_000)).toMatch(
      /^What-if for in .*\nSnapshot .* nothing is stored\n/u,
    ));

  test('has the same text in colours', () => {
    expect(stripVTControlCharacters(showPlan(samplePlan(), 1_000, createPaint(true)))).toBe(text);
  });
});

describe('planDocument', () => {
  test('names sums as the cell does, exact beyond 2^53', () => {
    const document = toJson(planDocument(samplePlan({ branches: manyBranches(8) })));
    expect(document).toMatchObject({
      plan_id: 'in-7',
      card_hash: '5d0c11aa22bb33cc',
      before_credits: '1000000',
      total_credits: '1041000',
      quarantined_orgs: 2,
      quarantined: [{ reason: 'null_agents', orgs: 1 }, { reason: 'unknown_edition' }],
      pending: true,
      inside_rails: false,
      batch_size: { orgs: 6_000, basis: 'batches', per_org_us: 25 },
      duration: { p50_ms: 120_000, p90_ms: 240_000, basis: 'batches' },
      editions: [{ edition: 'edition-0', orgs: 80, before_credits: '72057594037927944' }],
      short: [{ org_id: 'org-short', total_credits: '155000', peak_credits: '160500', proposed_floor: '161000' }],
    });
  });
});

describe('countsDocument', () => {
  test('names no org, and leaves no key out', () => {
    const document = countsDocument(samplePlan());
    expect(JSON.stringify(document)).not.toContain('org-');
    expect(Object.keys(document)).toEqual(Object.keys(planDocument(samplePlan())));
  });
});

describe('groupEditions', () => {
  test('adds up the branches of an edition', () => {
    const branches = [
      sampleBranch({ winner: 'legacy', orgs: 2 }),
      sampleBranch({ paid: false, orgs: 3, falling: 2 }),
      sampleBranch({ edition: 'free', orgs: 1 }),
    ];
    expect(groupEditions(branches)).toMatchObject([
      { edition: 'free', orgs: 1, paid: 1, legacyWins: 0 },
      { edition: 'standard', orgs: 5, paid: 2, legacyWins: 2, falling: 2, unpaidFalling: 2, after: '1000000' },
    ]);
  });
});

describe('countBranches', () => {
  test('does not count a branch without orgs', () =>
    expect(countBranches([sampleBranch(), sampleBranch({ edition: 'free', orgs: 0 })])).toEqual({
      present: 1,
      most: 24,
    }));
});

describe('showFactor', () => {
  test.each([
    ['25000', '155000', '6.2×'],
    ['0', '5000', '5,000.0×'],
    ['9007199254740993', '9007199254740993', '1.0×'],
  ])('from %s to %s is %s', (before, after, shown) => expect(showFactor(before, after)).toBe(shown));
});

describe('showBar', () => {
  test.each([
    [null, -50, 'under -50 %'],
    [-50, 0, '-50 % to 0 %'],
    [0, 0, 'unchanged'],
    [200, null, '200 % and more'],
  ])('from %s to %s is %s', (from, to, shown) => expect(showBar({ from, to, orgs: 0 })).toBe(shown));
});
