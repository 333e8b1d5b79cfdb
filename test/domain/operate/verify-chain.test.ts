// The proof of the audit's chain, over chains of any form: what was not tampered with is proven, whatever the
// retention deleted; what was is found at its first link.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CHAIN_START,
  type ChainEnd,
  type ChainHead,
  type ChainPart,
  type ChainProof,
  hashLink,
  verifyEnd,
  verifyPart,
} from '../../../src/domain/operate/verify-chain.js';

type Link = Extract<ChainPart, { kind: 'link' }>;

/** As the database makes it: each entry says whether it is routine. */
function chain(entries: readonly boolean[], word = 'entry', before: readonly Link[] = []): readonly Link[] {
  const links = [...before];
  for (const routine of entries) {
    const last = links.at(-1);
    const [link, kept] = [(last?.link ?? 0n) + 1n, (last?.kept ?? 0n) + (routine ? 0n : 1n)];
    const text = JSON.stringify([String(link), String(kept), routine, word]);
    links.push({ kind: 'link', link, seq: link * 2n, kept, routine, text, hash: hashLink(last?.hash ?? '', text) });
  }
  return links;
}

/** As the retention leaves it; `gone`: which routine entries it deletes. */
function purge(links: readonly Link[], gone: (at: number) => boolean): readonly ChainPart[] {
  const parts: ChainPart[] = [];
  for (const [at, link] of links.entries()) {
    const last = parts.at(-1);
    if (!link.routine || !gone(at)) parts.push(link);
    else if (last?.kind === 'gap') parts.splice(-1, 1, { ...last, last: link.link, hash: link.hash });
    else parts.push({ kind: 'gap', first: link.link, last: link.link, hash: link.hash });
  }
  return parts;
}

const headOf = (links: readonly Link[]): ChainHead => ({
  link: links.at(-1)?.link ?? 0n,
  hash: links.at(-1)?.hash ?? '',
});

function verify(parts: readonly ChainPart[], end: ChainEnd): ChainProof {
  let state = CHAIN_START;
  for (const part of parts) {
    const next = verifyPart(state, part, end.heads);
    if ('kind' in next) return next;
    state = next;
  }
  return verifyEnd(state, end);
}

const entries = fc.array(fc.boolean(), { minLength: 1, maxLength: 30 });
const chosen = fc.array(fc.boolean(), { minLength: 30, maxLength: 30 });
const place = fc.nat({ max: 1_000 });

describe('the chain of the audit', () => {
  test('is proven, whatever the retention deleted, also by heads that were kept anywhere', () => {
    fc.assert(
      fc.property(entries, chosen, place, (kinds, gone, at) => {
        const links = chain(kinds);
        const kept = links[at % links.length];
        const parts = purge(links, (n) => gone[n] === true);
        const end = { head: headOf(links), unchained: null, heads: kept === undefined ? [] : [kept] };
        expect(verify(parts, end)).toMatchObject({ kind: 'intact', ...headOf(links) });
      }),
    );
  });

  test('names the first entry that was changed, removed, moved or added', () => {
    fc.assert(
      fc.property(
        entries,
        place,
        fc.constantFrom('change', 'remove', 'unlink', 'swap', 'rehash'),
        (kinds, at, deed) => {
          const links = chain(kinds);
          const n = at % links.length;
          const [link, next] = [links[n], links[n + 1]];
          if (
            link === undefined ||
            (deed === 'swap' && next === undefined) ||
            (deed === 'unlink' && next === undefined)
          )
            return;
          const text = 'something else';
          const own = links[n - 1]?.hash ?? '';
          const parts = links.flatMap((part, index): readonly Link[] => {
            if (index === n + 1 && deed === 'swap') return [{ ...part, seq: link.seq, text: link.text }];
            if (index !== n) return [part];
            if (deed === 'swap') return [{ ...part, seq: next?.seq ?? 0n, text: next?.text ?? '' }];
            if (deed === 'remove') return [{ ...part, text: null }];
            if (deed === 'unlink') return [];
            return [{ ...part, text, ...(deed === 'rehash' && { hash: hashLink(own, text) }) }];
          });
          const proof = verify(parts, { head: headOf(links), unchained: null });
          // one that was hashed anew is found by the next one, or by the head
          const where = deed === 'rehash' && next !== undefined ? next.link : link.link;
          expect(proof).toMatchObject({ kind: 'broken', link: where });
        },
      ),
    );
  });

  test('finds a tail that was cut or written anew by a head that was kept, and only by that', () => {
    fc.assert(
      fc.property(entries, entries, place, (kinds, more, at) => {
        const links = chain(kinds);
        const left = links.slice(0, at % links.length);
        const short = { head: headOf(left), unchained: null };
        expect(verify(left, short)).toMatchObject({ kind: 'intact' });
        const kept = [headOf(links)];
        expect(verify(left, { ...short, heads: kept })).toMatchObject({ kind: 'broken', code: 'cut' });
        const anew = chain([...kinds.slice(left.length), ...more], 'forged', left);
        const end = { head: headOf(anew), unchained: null };
        expect(verify(anew, end)).toMatchObject({ kind: 'intact' });
        expect(verify(anew, { ...end, heads: kept })).toMatchObject({
          kind: 'broken',
          code: 'rewritten',
          ...{ link: headOf(links).link },
        });
      }),
    );
  });

  test('lets nobody hide an entry that is no routine in a gap', () => {
    fc.assert(
      fc.property(entries, place, (kinds, at) => {
        const links = chain([...kinds, false]);
        const n = at % kinds.length;
        const hidden = links[n];
        if (hidden === undefined || hidden.routine) return;
        const gap: ChainPart = { kind: 'gap', first: hidden.link, last: hidden.link, hash: hidden.hash };
        const proof = verify([...links.slice(0, n), gap, ...links.slice(n + 1)], {
          head: headOf(links),
          unchained: null,
        });
        expect(proof).toMatchObject({ kind: 'broken', code: 'missing' });
      }),
    );
  });

  test('finds a gap whose last link was written anew, by a head that was kept', () => {
    const links = chain([true, true, false]);
    const [, last, third] = links;
    if (last === undefined || third === undefined) throw new Error('there are three links');
    const forged = { kind: 'gap', first: 1n, last: last.link, hash: 'f'.repeat(64) } as const;
    const heads = [{ link: last.link, hash: last.hash }];
    const end = { head: headOf(links), unchained: null, heads };
    expect(verify([forged, third], end)).toMatchObject({ kind: 'broken', link: last.link, code: 'rewritten' });
    expect(verify([{ ...forged, hash: last.hash }, third], end)).toMatchObject({ kind: 'intact' });
  });

  test('names an entry without a link', () => {
    const links = chain([false]);
    expect(verify(links, { head: headOf(links), unchained: 9n })).toEqual({
      kind: 'broken',
      link: 2n,
      seq: 9n,
      code: 'unchained',
    });
  });
});
