// Texts that are read from right to left, in lines that are read from left to right. Knows nothing of what they say.

/** Hebrew, Arabic, Syriac, N'Ko, Adlam and others: the blocks that Unicode keeps for them. */
const RIGHT_TO_LEFT = String.raw`[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]`;
/** With single spaces inside: two are between columns. */
const WORDS = new RegExp(`${RIGHT_TO_LEFT}\\p{M}*(?: ?${RIGHT_TO_LEFT}\\p{M}*)*`, 'gu');
/** Takes no column, and is shown by nothing. */
const LEFT_TO_RIGHT_MARK = '\u200e';

/**
 * Such words end where they end. Without it a terminal that turns them around takes the numbers behind them along, and
 * shows the columns of a row in another order.
 */
export const keepDirection = (text: string): string => text.replace(WORDS, `$&${LEFT_TO_RIGHT_MARK}`);
