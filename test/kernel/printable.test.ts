// Text that is shown: nothing in it that a terminal obeys, and nothing that cannot be seen.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  showName,
  toPrintable,
  toPrintableJson,
  toPrintableLines,
  withPrintableTexts,
  withWholeTexts,
} from '../../src/kernel/printable.js';
import { expectPrintable, hostileText } from '../cli/hostile/texts.js';

const anyText = fc.oneof(hostileText, fc.string({ unit: 'binary' }));

describe('toPrintable', () => {
  test.each([
    ['a\nb', 'a\\u000ab'],
    ['\u001b[2J', '\\u001b[2J'],
    ['\u009b35m', '\\u009b35m'],
    ['gro\u202ess', 'gro\\u202ess'],
    ['a\u200bb', 'a\\u200bb'],
    // unseen where a font lacks it, and no default-ignorable one
    ['a\ufff9b', 'a\\ufff9b'],
    ['\u{e0041}', '\\u{e0041}'],
    ['\ud800', '\\ud800'],
    ['\u0301a', '\\u0301a'],
    ['a\u0301\u0301\u0301\u0301\u0301', 'a\u0301\u0301\u0301\\u0301\\u0301'],
  ])('shows %j as %j', (text, shown) => expect(toPrintable(text)).toBe(shown));

  test.each(['', 'plain', 'Zürich', 'e\u0301', '漢字 ＡＢＣ', '😀', '✔ ▶ ‖ ◷ ❄ –', 'it\'s \\ a "path"', '日本 語'])(
    'leaves %j as it is',
    (text) => expect(toPrintable(text)).toBe(text),
  );

  test('gives one line without anything that a terminal obeys, and the same when it is done twice', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = toPrintable(text);
        expect(shown).not.toContain('\n');
        expectPrintable(shown);
        expect(toPrintable(shown)).toBe(shown);
      }),
    );
  });
});

test('toPrintableLines keeps line feeds and nothing else', () => {
  expect(toPrintableLines('a\r\n\u0007b')).toBe('a\\u000d\n\\u0007b');
});

test('toPrintableJson keeps every value of a document', () => {
  fc.assert(
    fc.property(fc.dictionary(anyText, fc.array(anyText)), (value) => {
      const json = JSON.stringify(value, null, 2);
      const shown = toPrintableJson(json);
      expectPrintable(shown);
      expect(JSON.parse(shown)).toEqual(JSON.parse(json));
    }),
  );
});

describe('withPrintableTexts', () => {
  test('changes texts and keys wherever they are, and nothing else', () => {
    const error = new Error('a\nb');
    const at = new Date(0);
    expect(
      withPrintableTexts({
        'k\n': ['a\n', { b: null, c: 5n, d: at, e: undefined }],
        error,
        map: new Map([['x\r', 1]]),
      }),
    ).toEqual({
      'k\\u000a': ['a\\u000a', { b: null, c: 5n, d: at, e: undefined }],
      error,
      map: new Map([['x\\u000d', 1]]),
    });
    expect(error.message).toBe('a\nb');
  });

  test('cuts a text that would fill a screen, once and not in the middle of a character', () => {
    const cut = withPrintableTexts({ long: 'x'.repeat(10_000), face: `${'x'.repeat(1_999)}😀` });
    expect(cut).toEqual({ long: `${'x'.repeat(2_000)}…`, face: `${'x'.repeat(1_999)}…` });
    expect(withWholeTexts(['x'.repeat(10_000)])).toEqual(['x'.repeat(10_000)]);
    expect(withPrintableTexts(cut)).toEqual(cut);
  });

  test('does not change what it was given', () => {
    const given = Object.freeze({ list: Object.freeze(['a\n']) });
    expect(withPrintableTexts(given).list).toEqual(['a\\u000a']);
    expect(given.list).toEqual(['a\n']);
  });
});

describe('showName', () => {
  test.each(['acme', 'Zoë-42', 'a.b@c:1/x', '7', '-5'])('leaves %s as it is', (id) => expect(showName(id)).toBe(id));

  test.each([
    ['', '""'],
    [' ', '" "'],
    ['acme ', '"acme "'],
    ['null', '"null"'],
    ['acme in in, 25,000 → 30,000\u00a0', '"acme in in, 25,000 → 30,000\\u00a0"'],
    ['a\u2003b', '"a\\u2003b"'],
    ['a\\', '"a\\\\"'],
    ['a\\" in in', '"a\\\\\\" in in"'],
    ['C:\\new', '"C:\\new"'],
    ['e\u0301', '"e\\u0301"'],
    ['\u212a', '"\\u212a"'],
    ['--execute', '"--execute"'],
    ['-', '"-"'],
    ['ana, approved by bob', '"ana, approved by bob"'],
    ['a" in in: "b', '"a\\" in in: \\"b"'],
    ['free (0), standard', '"free (0), standard"'],
  ])('keeps %j from going on as the sentence would', (id, shown) => expect(showName(id)).toBe(shown));

  test('has one end, and shows no two texts alike that only look alike', () => {
    fc.assert(
      fc.property(hostileText.map(toPrintable), (text) => {
        const shown = showName(text);
        if (shown !== text) expect(shown).toMatch(/^"(?:[^"\\]|\\.)*"$/u);
        const other = text.normalize('NFD');
        if (other !== text) expect(showName(other)).not.toBe(shown);
        expectPrintable(shown);
      }),
    );
  });
});
