// `verify` for people: the proof of a cut-over shows what is proven, what is not, and who is left.
import { describe, expect, test } from 'vitest';
import { showVerification } from '../../../src/cli/views/show-verification.js';
import type { CutoverProof } from '../../../src/engine/cutover/prove-cutover.js';
import type { VerifyReport } from '../../../src/engine/operate/verify-data-center.js';
import { sampleCommands } from './sample-status.js';

const show = (proof: Partial<CutoverProof>, skippedFollowUp: VerifyReport['skippedFollowUp'] = null): string =>
  showVerification(
    {
      dataCenter: 'in',
      nothingToVerify: false,
      mismatched: [],
      ...{ checked: 1_200, mismatches: 0, changedSince: 0, appeared: 0, gone: 0, unreadable: 0, unaccounted: 0 },
      skippedFollowUp,
      cutover: {
        verdict: 'proven',
        effectiveAt: new Date('2025-10-30T00:00:00Z'),
        latchedAt: new Date('2025-10-30T00:00:01Z'),
        sweptAt: new Date('2025-10-30T00:01:00Z'),
        signUps: { legacy: 7, credits: 1_000, lateLegacy: 0, flipped: 0 },
        onLegacy: 0,
        quarantinedOrgs: 0,
        quarantined: [],
        ...proof,
      },
    },
    'UTC',
    sampleCommands,
  );

describe('showVerification', () => {
  test('shows nothing of a cut-over that is not armed, and the instant of one that is', () => {
    expect(show({ verdict: 'not_armed', effectiveAt: null })).not.toContain('cut-over');
    expect(show({ verdict: 'ahead' })).toContain('it takes effect at 2025-10-30T00:00:00.000Z');
    expect(show({})).toContain('proven: every org is on credits; sign-ups that got credits');
    expect(show({ verdict: 'sweeping', sweptAt: null })).toContain(
      'its sweep, the check of every earlier org, has not ended',
    );
  });

  test('lists every org that is left in quarantine, and how many more there are', () => {
    const quarantined = [
      { orgId: '42', reason: 'null_agents', decidable: false },
      { orgId: '43', reason: 'unknown_edition', decidable: true },
    ];
    const text = show({ quarantinedOrgs: 3, quarantined });
    expect(text).toContain(
      'proven: every org that could be decided is on credits, and 3 orgs could not (quarantine); sign-ups that got credits: 1,000, legacy: 7; each stayed on the model that it got',
    );
    expect(text).toContain('in quarantine: 42 · null_agents\n');
    expect(text).toContain('in quarantine: 43 · unknown_edition · corrected since');
    expect(text).toMatch(/and 1 more: .*quarantine --dc in/u);
  });

  test('names every reason why it is not proven, and the way out', () => {
    const signUps = { legacy: 7, credits: 1, lateLegacy: 2, flipped: 1 };
    const text = show({ verdict: 'broken', onLegacy: 5, signUps });
    expect(text).toContain('✖ in: cut-over at 2025-10-30T00:00:00.000Z not proven: 5 orgs are on the old model');
    expect(text).toContain('2 sign-ups got the legacy model at or after the instant; 1 sign-ups have an allotment');
    expect(text).toMatch(/next: .*reconcile --dc in/u);
  });
});
