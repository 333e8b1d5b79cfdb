// What `audit --verify` says, for every end that a proof has.
import { expect, test } from 'vitest';
import { showChain } from '../../../src/cli/views/show-chain.js';

const cells = { compared: [], notCompared: [] } as const;
const broken = { kind: 'broken', link: 7n, seq: 9n, ...cells } as const;
const accept = 'npx credit-rollout audit --accept-cut';

test.each([
  ['changed', 'Entry 9 (link 7) is not what was recorded.'],
  ['missing', 'Entry 9 (link 7) is missing, or one before it was hidden.'],
  ['cut', 'The audit ends before link 7, and it was longer: its newest entries are missing.'],
  ['unchained', 'Entry 9 was added past the chain.'],
  ['rewritten', 'The chain up to link 7 is not the one whose head was kept: it was rewritten.'],
] as const)('names what is wrong: %s', (code, sentence) => {
  expect(showChain({ ...broken, code }, accept)).toBe(`✖ ${sentence} What is before link 7 is as it was recorded.`);
});

test('says how much was proven, and shows the head to keep', () => {
  const state = { kind: 'intact', link: 1_500n, kept: 400n, hash: 'ab', ...cells } as const;
  expect(showChain({ ...state, entries: 1_400n, deleted: 100n }, accept)).toBe(
    `✔ The audit is what was recorded: 1,400 entries; 100 more were deleted by the retention.
Keep this elsewhere, and give it back with --head:
1500:ab`,
  );
  expect(showChain({ ...state, link: 0n, entries: 0n, deleted: 0n }, accept)).toBe(
    '✔ The audit is what was recorded: 0 entries.',
  );
});

test('says which cells it was compared with, and what to do where one keeps more', () => {
  expect(showChain({ ...broken, code: 'cut', keptBy: 'in', compared: ['in', 'eu'], notCompared: ['us'] }, accept)).toBe(
    `✖ The audit ends before link 7, and it was longer: its newest entries are missing. What is before link 7 is as it was recorded.
The cell of data center "in" keeps what control had there.
If control was restored from an older copy, accept what it has lost: ${accept}
Compared with what these cells keep: in, eu.
Not compared, since these cells cannot be read: us.`,
  );
});
