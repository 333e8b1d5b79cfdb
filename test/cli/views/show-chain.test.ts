// What `audit --verify` says, for every end that a proof has.
import { expect, test } from 'vitest';
import { showCutProposal } from '../../../src/cli/views/show-audit-cut.js';
import { showChain } from '../../../src/cli/views/show-chain.js';
import type { CutProposal } from '../../../src/engine/operate/accept-audit-cut.js';
import type { CommandText } from '../../../src/kernel/advice.js';

const cells = { compared: [], notCompared: [], lost: [], accepted: [], silent: [], proposed: null } as const;
const broken = { kind: 'broken', link: 7n, seq: 9n, ...cells } as const;
const again = 'npx credit-rollout audit --verify';
const commands = { show: ({ command }: CommandText) => `npx credit-rollout ${command}` };

test.each([
  ['changed', 'Entry 9 (link 7) is not what was recorded.'],
  ['missing', 'Entry 9 (link 7) is missing, or one before it was hidden.'],
  ['cut', 'The audit ends before link 7, and it was longer: its newest entries are missing.'],
  ['unchained', 'Entry 9 was added past the chain.'],
  ['rewritten', 'The chain up to link 7 is not the one whose head was kept: it was rewritten.'],
  [
    'unreachable',
    'The cell of data center "us" keeps a head that the audit cannot have: something else wrote it.',
    { keptBy: 'us' },
  ],
  [
    'rewritten',
    'The chain up to link 7 is not the one whose head the cell of "us" keeps: one of both was rewritten.',
    { keptBy: 'us' },
  ],
] as const)('names what is wrong: %s', (code, sentence, keeper?: { readonly keptBy: string }) => {
  expect(showChain({ ...broken, code, ...keeper }, commands)).toBe(
    `✖ ${sentence} What is before link 7 is as it was recorded.`,
  );
});

const state = { link: 1_500n, kept: 400n, hash: 'ab', entries: 1_400n, deleted: 100n, ...cells } as const;

test('says how much was proven, and shows the head to keep', () => {
  expect(showChain({ ...state, kind: 'intact' }, commands)).toBe(
    `✔ The audit is what was recorded: 1,400 entries; 100 more were deleted by the retention.
Keep this elsewhere, and give it back with --head:
1500:ab`,
  );
  expect(showChain({ ...state, kind: 'intact', link: 0n, entries: 0n, deleted: 0n }, commands)).toBe(
    '✔ The audit is what was recorded: 0 entries.',
  );
});

test('says what each cell keeps that control has lost, and how to accept it', () => {
  const lost = [
    { dataCenter: 'in', heads: [], from: 4n, to: 24n, entries: 21n },
    { dataCenter: 'us', heads: [], from: 900n, to: 900n, entries: null },
  ];
  expect(showChain({ ...broken, code: 'cut', keptBy: 'in', lost, compared: ['in', 'us'] }, commands)).toBe(
    `✖ The audit ends before link 7, and it was longer: its newest entries are missing. What is before link 7 is as it was recorded.
The cell of data center "in" keeps what control no longer has: links 4 to 24, 21 entries.
The cell of data center "us" keeps link 900, which the audit of control cannot have reached.
If control was restored from an older copy, propose to accept what it has lost, which a second person approves: ${again} --accept-cut --execute --reason TEXT
Compared with what these cells keep: in, us.`,
  );
  const proposed: CutProposal = {
    ...{ cutId: 3n, dataCenters: ['in', 'us'], heads: 5, reason: 'the disk was lost', author: 'ann' },
    ...{ proposedAt: new Date(), approver: null, decidedAt: null, state: 'proposed', withdrawnBy: null, alone: false },
  };
  const waiting = showChain({ ...broken, code: 'cut', keptBy: 'in', lost, proposed }, commands);
  expect(waiting).not.toContain('If control was restored');
  expect(waiting).toContain(`
Waits for somebody else than ann, to accept as lost: h3: 5 heads that the cells of in, us keep and control has lost, proposed; proposed by ann: the disk was lost
A second person approves it: npx credit-rollout approve h3; or withdraw it: ${again} --accept-cut --withdraw --reason TEXT`);
  const decide = (own: Partial<CutProposal>) => showCutProposal({ ...proposed, heads: 1, dataCenters: ['in'], ...own });
  expect(decide({ state: 'accepted', approver: 'bob' })).toBe(
    'h3: 1 head that the cell of in keeps and control has lost, accepted; proposed by ann, approved by bob: the disk was lost',
  );
  expect(decide({ state: 'accepted', approver: 'ann', alone: true })).toContain('proposed and approved by ann alone:');
  expect(decide({ state: 'withdrawn', withdrawnBy: 'bob' })).toContain('withdrawn; proposed by ann, withdrawn by bob:');
});

test('is no tick where a loss was accepted, and none where a cell could not be compared', () => {
  const at = new Date('2026-11-22T14:02:11Z');
  const cut = { dataCenter: 'in', heads: [], from: '4', to: '24', entries: '21', at, reason: 'the disk was lost' };
  const accepted = [
    { ...cut, author: null, by: 'ann' },
    { ...cut, author: 'ann', by: 'bob' },
  ];
  const silent = [{ dataCenter: 'in', until: 25n }];
  const text = showChain({ ...state, kind: 'accepted', accepted, silent, deleted: 0n }, commands);
  expect(text).toContain('The cell of data center "in" keeps no new head before link 25.');
  expect(text).toContain('! The audit is not complete. What is there is what was recorded: 1,400 entries.\n');
  expect(text).toMatch(/Lost, and accepted by ann at .*: links 4 to 24 \(21 entries\) of data center "in": the disk/u);
  expect(text).toMatch(/Lost, and accepted by bob at .*, as ann proposed: links 4 to 24/u);
  expect(showChain({ ...state, kind: 'uncompared', compared: ['in'], notCompared: ['us'] }, commands)).toBe(
    `! The audit is not proven: not every cell could be compared. By its own hashes it is in order: 1,400 entries; 100 more were deleted by the retention.
Keep this elsewhere, and give it back with --head:
1500:ab
Compared with what these cells keep: in.
Not compared, since these cells cannot be read: us.
Once they can be read, repeat it: ${again}`,
  );
});
