// A megabyte that somebody wrote to keep the readers busy, in many shapes; and files that are named by mistake: an
// error within a second, with nothing of another file in it.
import { describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { isRolloutError, type RolloutError } from '../../../src/kernel/rollout-error.js';
import { EMBEDDED_CONFIG } from '../../../src/sample/config.js';
import { sampleCardText } from '../rate-card/sample-card.js';

const SIZE = 1_000_000;
const readers = {
  configuration: (text: string): unknown => parseRolloutConfig(text, { lookup: () => undefined }),
  'rate card': (text: string): unknown => parseRateCard(text),
};
const kinds = ['configuration', 'rate card'] as const;

const fill = (piece: string, before = ''): string =>
  before + piece.repeat(Math.ceil(SIZE / piece.length)).slice(0, SIZE - before.length);
const list = (entry: (at: number) => string, before = ''): string => {
  const length = entry(99_999).length;
  return before + Array.from({ length: Math.floor((SIZE - before.length) / length) }, (_, at) => entry(at)).join('');
};
const number = (at: number): string => String(at).padStart(5, '0');

const SHAPES: Readonly<Record<string, string>> = {
  ...{
    lists: fill('['),
    mappings: fill('{a: '),
    entries: fill('- '),
    'lists of lists': fill('[{a: '),
    closes: fill(']'),
  },
  ...{
    lines: fill('- a\n'),
    'empty lines': fill('\n'),
    comments: fill('#\n'),
    tabs: fill('\t'),
    'line ends': fill('\r'),
  },
  ...{
    keys: list((at) => `k${number(at)}: 1\n`),
    'one key': fill('a: 1\n'),
    'explicit keys': fill('? a\n'),
    colons: fill(': '),
  },
  ...{ indented: Array.from({ length: 1_400 }, (_, at) => `${' '.repeat(at)}a:`).join('\n') },
  ...{ anchors: fill('&a '), 'anchors and aliases': list((at) => `- &a${number(at)} x\n- *a${number(at)}\n`) },
  ...{
    aliases: fill('*a, ', 'a: &a [x, '),
    'aliases of a mapping': list((at) => `k${number(at)}: *a\n`, 'a: &a {b: 1}\n'),
  },
  ...{ 'aliases that hold themselves': fill('*a, ', 'a: &a [') },
  ...{ quotes: fill('"'), apostrophes: fill("'"), escapes: fill('\\n', '"'), 'a long text': fill('x ', 'name: ') },
  ...{
    'a folded text': fill(' x\n', 'name: >\n'),
    'a text over lines': fill('x\n  ', 'name: '),
    'one number': fill('9'),
  },
  ...{ documents: fill('---\n'), directives: fill('%YAML 1.2\n'), tags: fill('!a '), words: fill('x ') },
  ...{ commas: fill(',', '['), 'pairs in a list': fill('a: b, ', '['), marks: fill('\ufeff'), symbols: fill('😀') },
  'data centers': list((at) => `  - { id: d${number(at)}, zone: X, database: y }\n`, 'dataCenters:\n'),
  editions: list((at) => `  e${number(at)}: { credits: 1 }\n`, 'editions:\n'),
  cases: list(
    (at) => `  - { name: c${number(at)}, org: { edition: x }, expect: {} }\n`,
    `${sampleCardText.split('cases:')[0]}cases:\n`,
  ),
};

interface Rejection {
  readonly error: RolloutError | undefined;
  /** Of this process: other suites run beside it. */
  readonly cpuMs: number;
}

function reject(kind: (typeof kinds)[number], text: string): Rejection {
  const began = process.cpuUsage();
  const error = errorOf(() => readers[kind](text));
  const { user, system } = process.cpuUsage(began);
  return { error, cpuMs: (user + system) / 1_000 };
}

function errorOf(read: () => unknown): RolloutError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (isRolloutError(error)) return error;
    throw error;
  }
}

describe.each(kinds)('the reader of the %s', (kind) => {
  // what is loaded and compiled at the first use is not the text's fault
  reject(kind, fill('- a\n').slice(0, 20_000));

  test.each(Object.keys(SHAPES))('rejects a megabyte of %s within a second', (name) => {
    const { error, cpuMs } = reject(kind, SHAPES[name] ?? '');
    expect(error?.message.length).toBeLessThan(450);
    expect(cpuMs).toBeLessThan(1_000);
  });

  test('rejects more than a megabyte', () => {
    expect(reject(kind, `${fill('#')}\n`).error?.message).toBe(
      `Line 1 of the ${kind} is not valid YAML: it is too long: at most 1,000,000 characters.`,
    );
  });

  test.each([
    ['root:$y$j9T$SECRET:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n', 'a list of passwords'],
    ['apiVersion: v1\nkind: Secret\ndata:\n  password: SECRET\n', 'another configuration'],
    ['SECRET: &SECRET !SECRET [*SECRET2', 'broken YAML'],
    ['"SECRET\\q"', 'a bad escape'],
    ['-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n', 'a key'],
    ['SECRET', 'a word'],
    ['- SECRET\n', 'a list'],
    ['name: SECRET\nSECRET: 1\nSECRET: 2\n', 'keys that are there twice'],
    ['SECRET\n---\nSECRET', 'two documents'],
    ['? [SECRET]\n: 1', 'a key that is no text'],
    ['\u0000\u0001SECRET\u00ff', 'no text'],
    ['', 'nothing'],
  ])('shows nothing of %j, which is %s', (text) => {
    const { error } = reject(kind, text);
    expect(error?.message).toMatch(new RegExp(`^Line \\d+ of the ${kind} `, 'u'));
    expect(JSON.stringify([error?.message, error?.next])).not.toMatch(/SECRET|root|daemon|apiVersion|PRIVATE|20000/u);
  });

  test('still names what is wrong in what was meant to be one', () => {
    const [text, key] = kind === 'configuration' ? [EMBEDDED_CONFIG, 'dataCenters'] : [sampleCardText, 'editions'];
    expect(reject(kind, text.replace(new RegExp(`^${key}:`, 'mu'), `${key}X:`)).error?.message).toContain(
      `${key}X (line`,
    );
    expect(reject(kind, `${text}\nunknown: 1\n`).error?.message).toContain('unknown (line');
  });
});
