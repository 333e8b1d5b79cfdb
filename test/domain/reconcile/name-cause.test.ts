// Every cause, and which of two comes first.
import { describe, expect, test } from 'vitest';
import { type ComparedInputs, type Found, nameCause, type Stored } from '../../../src/domain/reconcile/name-cause.js';

const INPUTS: ComparedInputs = {
  edition: 'standard',
  paid: true,
  agents: 300n,
  lightAgents: 0n,
  additionalCredits: 0n,
  negotiatedLimit: null,
  floor: 150_000n,
};
type StoredFields = Partial<Omit<Extract<Stored, { kind: 'allotment' }>, 'kind'>>;
const stored = (fields: StoredFields = {}): Stored => ({
  kind: 'allotment',
  ...INPUTS,
  lapsed: false,
  mark: 'none',
  card: 'same',
  proposedFor: null,
  ...fields,
});
const none = (fields: Partial<Omit<Extract<Stored, { kind: 'none' }>, 'kind'>> = {}): Stored => ({
  kind: 'none',
  earlier: 'never',
  quarantined: false,
  ...fields,
});
const found = (fields: Partial<Omit<Extract<Found, { kind: 'org' }>, 'kind'>> = {}): Found => ({
  kind: 'org',
  ...INPUTS,
  signedUp: 'before_rollout',
  ...fields,
});

describe('nameCause', () => {
  test.each([
    ['gone', stored(), { kind: 'gone' } as const],
    ['seats', stored(), found({ agents: 200n })],
    ['seats', stored(), found({ lightAgents: 1n })],
    ['purchase', stored(), found({ additionalCredits: 1n })],
    ['edition', stored(), found({ edition: 'professional' })],
    ['late input', stored(), found({ negotiatedLimit: 9n })],
    ['late input', stored(), found({ floor: 160_000n })],
    ['lapse', stored(), found({ paid: false })],
    ['return', stored({ paid: false }), found()],
    ['paid', stored({ paid: false, floor: null }), found({ floor: null })],
    ['manual edit', stored({ mark: 'edited' }), found({ agents: 200n })],
    ['manual edit', stored(), found()],
    ['rate card', stored({ card: 'another' }), found()],
    ['seats', stored({ card: 'another' }), found({ agents: 200n })],
    ['restored backup', stored({ mark: 'restored' }), found({ agents: 200n })],
  ] as const)('is %s', (cause, before, now) => {
    expect(nameCause(before, now)).toBe(cause);
  });

  test.each([
    ['return', none({ earlier: 'retired', quarantined: true }), found({ signedUp: 'after_cutover' })],
    ['manual edit', none({ earlier: 'deleted' }), found()],
    ['restored backup', none({ earlier: 'lost' }), found()],
    ['release', none({ quarantined: true }), found({ signedUp: 'legacy' })],
    ['legacy sign-up', none(), found({ signedUp: 'legacy' })],
    ['legacy sign-up', none(), found({ signedUp: 'before_cutover' })],
    ['missed sign-up', none(), found({ signedUp: 'credits' })],
    ['missed sign-up', none(), found({ signedUp: 'after_cutover' })],
    ['late input', none(), found()],
  ] as const)('of an org without an allotment is %s', (cause, before, now) => {
    expect(nameCause(before, now)).toBe(cause);
  });

  test.each([
    ['edition', stored(), found({ floor: 50_000n, agents: 1n, paid: true })],
    ['lapse', stored({ lapsed: true, paid: false }), found({ floor: null })],
    ['lapse', stored({ lapsed: true, paid: false }), found({ floor: 50_000n, edition: 'express' })],
    ['edition', stored({ mark: 'edited' }), found({ floor: 50_000n })],
  ] as const)('of a floor that falls is one of the names that the database lets through: %s', (cause, before, now) => {
    expect(nameCause(before, now)).toBe(cause);
  });
});
