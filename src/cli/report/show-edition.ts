// One edition of a plan as a row: the cells that the screen and the page share.
import { showChange, showCount } from '../show-number.js';
import type { EditionLine } from './group-editions.js';

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
