// Texts that somebody wrote to break the readers of the configuration and of the rate card. Whatever the text: a value,
// or one RolloutError with a short message on one line and no secret.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { isRolloutError, type RolloutError } from '../../../src/kernel/rollout-error.js';
import { EMBEDDED_CONFIG } from '../../../src/sample/config.js';

const SECRET = 'CANARY';
const URL_WITH_SECRET = `postgres://app:${SECRET}@db/x`;
const CONFIG = `${EMBEDDED_CONFIG.trim().replace(/^controlDatabase.*/, `controlDatabase: ${URL_WITH_SECRET}`)}
queue: redis://:${SECRET}@queue:6379
`;
const CARD = `name: test
lightAgentsCountAsUsers: true
unpaid: free
editions:
  free: { credits: { base: 5000, perAgent: 0 }, concurrency: 5, legacy: { flat: 5000 } }
  standard: &standard
    credits: { base: 50000, perAgent: 250 }
    concurrency: 10
    legacy: { perUser: 500, min: 25000, max: 250000 }
  bundle: *standard
cases:
  - { org: { edition: free, agents: 3 }, expect: { floor: null, winner: credits } }
`;

const readers = {
  configuration: (text: string): unknown => parseRolloutConfig(text, { lookup: (name) => `${name}-${SECRET}` }),
  'rate card': (text: string): unknown => parseRateCard(text),
};
const kinds = ['configuration', 'rate card'] as const;
const samples = { configuration: CONFIG, 'rate card': CARD };

/** The error of a reader; undefined: it read the text. Anything but a RolloutError fails the test. */
function errorOf(kind: (typeof kinds)[number], text: string): RolloutError | undefined {
  try {
    readers[kind](text);
    return undefined;
  } catch (error) {
    if (isRolloutError(error)) return error;
    throw error;
  }
}

function expectShortAndClean(error: RolloutError | undefined): void {
  if (error === undefined) return;
  expect(error.message.length).toBeLessThan(450);
  expect(error.next.length).toBeLessThan(600);
  for (const text of [error.message, error.next]) {
    expect(text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    expect(text).not.toContain(SECRET);
  }
}

const scalars = fc.oneof(
  fc.constantFrom(
    '1',
    '1e5',
    '0x10',
    '2025-10-06',
    '22:00',
    'true',
    'null',
    '~',
    '""',
    '.nan',
    '<<',
    `"${URL_WITH_SECRET}"`,
  ),
  fc.constantFrom('9007199254740993', '!!int "5"', '!!str 5', '!unknown x', `\${NAME}`, '|\n  text\n', '"\\u0000"'),
  fc.string({ maxLength: 12 }).map((text) => JSON.stringify(text)),
  fc.integer({ min: 100, max: 5000 }).map((length) => 'x'.repeat(length)),
);
const keys = fc.constantFrom(
  ...[
    'rollout',
    'windows',
    'guardRails',
    'dataCenters',
    'id',
    'zone',
    'database',
    'editions',
    'free',
    'credits',
    'base',
  ],
  ...[
    'cases',
    'org',
    'expect',
    'name',
    'unpaid',
    '<<',
    '__proto__',
    'constructor',
    '? [a]',
    '1',
    `"${URL_WITH_SECRET}"`,
  ],
);
const anchors = fc.constantFrom('', '', '&a ', '&b ');
const { node } = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalars,
    fc.constantFrom('*a', '*b'),
    fc
      .tuple(anchors, fc.array(tie('node'), { maxLength: 4 }))
      .map(([anchor, items]) => `${anchor}[${items.join(', ')}]`),
    fc
      .tuple(anchors, fc.array(fc.tuple(keys, tie('node')), { maxLength: 4 }))
      .map(([anchor, pairs]) => `${anchor}{${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')}}`),
  ),
}));

describe.each(kinds)('the reader of the %s', (kind) => {
  test('reads its sample', () => {
    expect(errorOf(kind, samples[kind])).toBeUndefined();
  });

  test('survives any tree of lists, mappings, anchors, aliases, merge keys and doubled keys', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(keys, node), { minLength: 1, maxLength: 5 }), (pairs) => {
        expectShortAndClean(errorOf(kind, pairs.map(([key, value]) => `${key}: ${value}\n`).join('')));
      }),
      { numRuns: 150 },
    );
  });

  test('survives its sample with any line replaced, doubled or broken', () => {
    const lines = samples[kind].split('\n');
    const noise = fc.oneof(
      node,
      fc.constantFrom('\t', '[', '}', '---', '%YAML 1.1', '"', "'", '&a', '*a', '- ', '#', '!', '\u2028'),
    );
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(40), noise, (at, column, text) => {
        const line = lines[at] ?? '';
        const broken = line.slice(0, column) + text + line.slice(column);
        expectShortAndClean(errorOf(kind, lines.with(at, broken).join('\n')));
        expectShortAndClean(errorOf(kind, lines.toSpliced(at, 0, line).join('\n')));
      }),
      { numRuns: 150 },
    );
  });

  test('shows a control character on one line, wherever it is', () => {
    const controls = ['\u2028', '\u2029', '\u0085', '\u0007'];
    for (let at = 0; at <= samples[kind].length; at += 1) {
      const control = controls[at % controls.length];
      expectShortAndClean(errorOf(kind, `${samples[kind].slice(0, at)}${control}${samples[kind].slice(at)}`));
    }
  });

  test.each([
    ['lists', '['.repeat(5_000)],
    ['closed lists', `${'['.repeat(900)}${']'.repeat(900)}`],
    ['mappings', '{a: '.repeat(2_000)],
    ['entries', `${'- '.repeat(3_000)}x`],
    ['lines', Array.from({ length: 500 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['anchors', `editions: ${Array.from({ length: 100 }, (_, depth) => `&x${depth} [`).join('')}`],
  ])('rejects %s that are nested too deeply', (_what, text) => {
    const error = errorOf(kind, text);
    expect(error?.code).toBe(kind === 'configuration' ? 'config_syntax' : 'invalid_rate_card');
    expectShortAndClean(error);
  });

  test('rejects nesting that YAML itself can hold, and explains it', () => {
    expect(errorOf(kind, `a: ${'['.repeat(80)}${']'.repeat(80)}`)?.message).toBe(
      `Line 1 of the ${kind} is not valid YAML: it is nested too deeply.`,
    );
  });

  test('does not expand aliases that repeat aliases', () => {
    const layers = Array.from(
      { length: 60 },
      (_, at) =>
        `k${at}: &l${at} [${Array(10)
          .fill(`*l${at - 1}`)
          .join(', ')}]`,
    );
    const main = kind === 'configuration' ? 'dataCenters' : 'editions';
    const text = [`${main}: {}`, 'k: &l-1 [x]', ...layers].join('\n');
    expect(errorOf(kind, text)?.message).toMatch(/^k \(line 2\) is not a key of the /);
  });

  test('names the second of two equal keys, and its line', () => {
    const text = `${samples[kind]}zone: a\n"zone": b\n`;
    const line = text.split('\n').length - 1;
    expect(errorOf(kind, text)?.message).toBe(
      `Line ${line} of the ${kind} is not valid YAML: keys must be unique, but zone is there twice.`,
    );
  });

  test('cuts very long keys and values', () => {
    for (const text of [
      `${'k'.repeat(100_000)}: 1`,
      `name: ${'x '.repeat(50_000)}`,
      `rateCard: "${'y'.repeat(99_999)}`,
    ]) {
      expectShortAndClean(errorOf(kind, text));
    }
  });
});

describe('the numbers of a rate card', () => {
  const withBase = (base: string): string => CARD.replace('base: 5000,', `base: ${base},`);

  test('are exact up to their bounds, and rejected beyond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), (base) => {
        const text = withBase(String(base));
        if (base >= 0n && base <= 10n ** 15n) expect(parseRateCard(text).editions.get('free')?.base).toBe(base);
        else expect(errorOf('rate card', text)?.code).toBe('inexact_number');
      }),
    );
  });

  test('are never what a double would make of them', () => {
    const written = fc.double({ noNaN: true }).map((value) => {
      const text = String(value);
      return /^\d+$/.test(text) ? `${text}.0` : text;
    });
    fc.assert(
      fc.property(written, (base) => {
        expect(['inexact_number', 'invalid_rate_card']).toContain(errorOf('rate card', withBase(base))?.code);
      }),
    );
  });
});
