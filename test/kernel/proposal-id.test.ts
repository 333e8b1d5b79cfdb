// Names of proposals: there and back, each kind its own, and never taken for the name of a plan.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseProposalId, showProposalId } from '../../src/kernel/proposal-id.js';

const dataCenters = fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/);

describe('parseProposalId', () => {
  test.each(['override', 'postponement', 'reversal'] as const)(
    'reads back any %s, whatever its data center is called',
    (kind) => {
      fc.assert(
        fc.property(dataCenters, fc.bigInt(1n, 10n ** 18n - 1n), (dataCenter, proposalId) => {
          const id = { kind, dataCenter, proposalId } as const;
          expect(parseProposalId(showProposalId(id))).toEqual(id);
        }),
      );
    },
  );

  test.each([
    ['in-o3', { kind: 'override', dataCenter: 'in', proposalId: 3n }],
    ['in-c3', { kind: 'postponement', dataCenter: 'in', proposalId: 3n }],
    ['us-east-2-c40', { kind: 'postponement', dataCenter: 'us-east-2', proposalId: 40n }],
    ['a-c1-c2', { kind: 'postponement', dataCenter: 'a-c1', proposalId: 2n }],
    ['in-r2', { kind: 'reversal', dataCenter: 'in', proposalId: 2n }],
    ['a-c1-r2', { kind: 'reversal', dataCenter: 'a-c1', proposalId: 2n }],
  ] as const)('reads %s, and shows it the same', (text, id) => {
    expect(parseProposalId(text)).toEqual(id);
    expect(showProposalId(id)).toBe(text);
  });

  test('takes no plan for a proposal', () => {
    fc.assert(
      fc.property(dataCenters, fc.nat(), (dataCenter, number) => {
        expect(parseProposalId(`${dataCenter}-${number}`)).toBeUndefined();
      }),
    );
  });

  const malformed = ['', 'in', 'in-7', 'in-x3'];
  const malformedOf = (letter: string): readonly string[] => [
    `in-${letter}`,
    `in-${letter}0`,
    `in-${letter}03`,
    `in-${letter}${letter}3`,
    `IN-${letter}3`,
    `in-${letter}3 `,
    `${letter}3`,
    `-${letter}3`,
    `in-${letter}${'9'.repeat(19)}`,
  ];
  test.each([...malformed, ...['o', 'c', 'r'].flatMap(malformedOf)])('rejects %j', (text) => {
    expect(parseProposalId(text)).toBeUndefined();
  });
});
