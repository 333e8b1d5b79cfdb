// What a person writes for others to read, such as --reason: as long as the databases keep it.
import { cutText } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** In characters; the checks of both schemas have the same. */
const MAX_TEXT = 2_000;
/** Of the text in the error. */
const SHOWN = 40;

/** Reads the text of an option. Throws invalid_argument: commander would show all of it, and cut what is wrong. */
export function parseText(option: string): (text: string) => string {
  return (text) => {
    const { length } = Array.from(text);
    if (length <= MAX_TEXT) return text;
    throw new RolloutError('invalid_argument', {
      message: `The text of ${option}, "${cutText(text, SHOWN)}", has ${length} characters; at most ${MAX_TEXT} are kept.`,
      next: 'Write it shorter, or name where it can be read whole.',
    });
  };
}
