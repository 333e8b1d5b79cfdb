// What an audit's line says of an entry: the verb and what it is about, within 80 columns.
import { describe, expect, test } from 'vitest';
import { showAudit } from '../../../src/cli/views/show-audit.js';

const entry = (action: string, details: Readonly<Record<string, unknown>>) => ({
  ...{ seq: '7', at: new Date('2026-05-04T10:00:00Z'), actor: 'alice', action, dataCenter: 'in', runId: null },
  ...{ epoch: null, reason: 'as agreed', details },
});
const show = (action: string, details: Readonly<Record<string, unknown>>): string =>
  showAudit({ entries: [entry(action, details)], more: false }, 'audit', 80);
/** What its words are, however they are broken. */
const wordsOf = (text: string): string =>
  text
    .split('\n')
    .slice(1)
    .map((line) => line.slice(25, 60).trim())
    .join(' ');

describe('showAudit', () => {
  test('names the verb and the setting of a change', () => {
    const shown = show('change_setting', { change: 's3', setting: 'rollout.bake', from: 'PT0S', to: 'PT12H' });
    expect(wordsOf(shown)).toContain('change_setting rollout.bake PT0S → PT12H');
    expect(show('set_lanes', { setting: 'lanes', from: 4, to: 2 })).toContain('set_lanes lanes 4 → 2');
  });

  test('stays within 80 columns, and breaks a long key after a dot', () => {
    const setting = 'rollout.guardRails.totalChangePercent';
    const shown = show('propose_setting', { change: 's3', setting, from: null, to: 10 });
    expect(shown.split('\n').every((line) => line.length <= 80)).toBe(true);
    expect(shown).toMatch(/ rollout\.guardRails\.\n +totalChangePercent none → 10$/u);
  });

  test('names what was approved, and a stage with its failure', () => {
    expect(show('approve', { plan: 'in-7', digest: 'abc' })).toContain('approve in-7');
    expect(show('transition', { from: 'verifying', to: 'failed', failure: 'mismatch' })).toContain(
      'verifying → failed (mismatch)',
    );
  });

  test('says before the first line that there are older entries, and how to see them', () => {
    const entries = [entry('pause', {}), entry('resume', {})];
    const [first] = showAudit({ entries, more: true }, 'credit-rollout audit --limit 4', 80).split('\n');
    expect(first).toBe('The newest 2 entries; there are older ones. To see more: credit-rollout audit --limit 4');
    expect(showAudit({ entries, more: false }, 'credit-rollout audit --limit 4', 80)).not.toContain('older');
  });
});
