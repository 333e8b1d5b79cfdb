// The reference of stages and holds, from the tables that decide. Restates nothing.
import { HOLD_CODES, HOLDS } from '../../src/domain/rollout/hold.js';
import { STAGE_TRANSITIONS } from '../../src/domain/rollout/stage.js';
import { renderMarkdownTable } from './markdown.js';

/** Every legal step with its reason, in the order of the law. */
export function renderTransitions(): string {
  return renderMarkdownTable(
    ['from', 'to', 'reason'],
    STAGE_TRANSITIONS.map(({ from, to, reason }) => [`\`${from}\``, `\`${to}\``, reason]),
  );
}

/** Every hold in the order in which holds are checked. */
export function renderHolds(): string {
  return renderMarkdownTable(
    ['code', 'it is not moving because', 'ends by itself'],
    HOLD_CODES.map((code) => [`\`${code}\``, HOLDS[code].meaning, HOLDS[code].needsPerson ? 'no' : 'yes']),
  );
}
