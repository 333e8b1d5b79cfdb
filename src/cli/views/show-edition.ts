// One edition of a plan as a row: the cells that the screen and the page share.

import type { EditionLine } from '../../domain/plan/group-editions.js';
import { showChange, showCount } from '../terminal/numbers.js';

/** Edition, orgs, paid, legacy kept, falling, before, after, change. */
export const showEdition = (line: EditionLine): readonly string[] => [
  line.edition,
  showCount(line.orgs),
  showCount(line.paid),
  showCount(line.legacyWins),
  showCount(line.falling),
  showCount(line.before),
  showCount(line.after),
  showChange(line.before, line.after),
];
