// What lost heads say of a chain, and how they are named to be accepted: each with its cell, and none for another.
import { expect, test } from 'vitest';
import {
  type AcceptedCut,
  breakByCuts,
  type CellHead,
  describeCut,
  groupLost,
  isSameLoss,
  listUnaccepted,
  planCut,
  splitCut,
} from '../../../src/domain/operate/lost-heads.js';

const at = new Date('2026-11-22T14:02:11Z');
const head = (dataCenter: string, link: bigint, hash = `h${link}`): CellHead => ({
  ...{ dataCenter, link, hash },
  keptAt: at,
});
const FAR = 9_000_000_000_000_000_000n;

test('a head is accepted with its link, its hash and its cell, and with nothing less', () => {
  const accepted: AcceptedCut = {
    ...{ dataCenter: 'in', from: '1', to: '99', entries: '99', at, by: 'bob', author: 'ann', reason: 'lost' },
    heads: [{ link: '8', hash: 'h8' }],
  };
  const others = [head('eu', 8n), head('in', 8n, 'another'), head('in', 9n)];
  expect(listUnaccepted([head('in', 8n), ...others], [accepted])).toEqual(others);
});

test('a chain is rewritten, cut, or in order beside a head that it cannot have', () => {
  expect(breakByCuts(7n, [])).toBeUndefined();
  expect(breakByCuts(7n, [head('in', 9n), head('eu', 7n)])).toMatchObject({
    code: 'rewritten',
    link: 7n,
    keptBy: 'eu',
  });
  expect(breakByCuts(7n, [head('us', FAR), head('in', 9n)])).toMatchObject({ code: 'cut', link: 8n, keptBy: 'in' });
  expect(breakByCuts(7n, [head('us', FAR)])).toMatchObject({ code: 'unreachable', link: 8n, keptBy: 'us' });
});

test('lost heads are named from the first missing link on, in parts that fit in an entry', () => {
  const lost = Array.from({ length: 1_200 }, (_, n) => head('in', BigInt(n * 2 + 24)));
  const [near, far] = groupLost([...lost, head('in', FAR)], 3n);
  expect([near?.heads.length, near?.reachable, far?.heads.length, far?.reachable]).toEqual([1_200, true, 1, false]);
  const cut = describeCut('in', lost, 3n);
  expect(cut).toMatchObject({ from: 4n, to: 2_422n, entries: 2_419n });
  const parts = splitCut(cut);
  expect(parts.map(({ from, to, heads }) => [from, to, heads.length])).toEqual([
    [4n, 1_022n, 500],
    [1_023n, 2_022n, 500],
    [2_023n, 2_422n, 200],
  ]);
  expect(parts.flatMap(({ heads }) => heads)).toEqual(cut.heads);
  // nobody knows how many entries that is
  expect(splitCut(describeCut('in', [head('in', FAR)], null))).toMatchObject([{ from: FAR, to: FAR, entries: null }]);
});

test('what was proposed is what is lost now: no head more, less or another', () => {
  const eu = [head('eu', 8n), head('eu', 9n)];
  const now = [describeCut('eu', eu, 3n), describeCut('in', [head('in', 8n)], null)];
  const proposed = [...eu, head('in', 8n)];
  expect(isSameLoss(proposed, planCut(now))).toBe(true);
  for (const other of [
    [],
    eu,
    [...proposed, head('us', 8n)],
    [...eu, head('in', 8n, 'another')],
    [...eu, head('in', 7n)],
    [...eu, head('us', 8n)],
  ])
    expect(isSameLoss(other, planCut(now)), JSON.stringify(other.length)).toBe(false);
  // one proposal has an end; the rest is another
  const many = Array.from({ length: 60_000 }, (_, n) => head('in', BigInt(n + 1)));
  expect(planCut([describeCut('in', many, 0n)]).flatMap(({ heads }) => heads)).toHaveLength(50_000);
});
